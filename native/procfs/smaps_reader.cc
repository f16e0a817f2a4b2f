#include "smaps_reader.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <functional>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "file.h"

namespace memprobe::procfs {
namespace {

// Up to here any number, and 1024 times it, is exact as a double.
constexpr size_t kMaxDigits = 15;
constexpr size_t kMany = 2048;
constexpr size_t kMost = 65536;
constexpr size_t kBuffer = 64 * 1024;
constexpr double kAbsentNumber = std::numeric_limits<double>::quiet_NaN();

// --- pieces of a line --------------------------------------------------------------------------------------
// Each takes what it recognizes off the front of `line` and says whether it was there.

bool take(std::string_view& line, char wanted) {
  if (line.empty() || line.front() != wanted) return false;
  line.remove_prefix(1);
  return true;
}

constexpr uint8_t kNoDigit = 0xff;

// Looked up, not compared: the digits of an address can't be predicted.
constexpr std::array<uint8_t, 256> kHexDigits = [] {
  std::array<uint8_t, 256> digits{};
  digits.fill(kNoDigit);
  for (uint8_t i = 0; i < 16; i++) digits[static_cast<uint8_t>("0123456789abcdef"[i])] = i;
  return digits;
}();

uint8_t hex_digit(char c) { return kHexDigits[static_cast<uint8_t>(c)]; }

template <class T>
bool take_hex(std::string_view& line, size_t most_digits, T& out) {
  uint64_t number = 0;
  size_t digits = 0;
  for (; digits < line.size(); digits++) {
    const uint8_t digit = hex_digit(line[digits]);
    if (digit == kNoDigit) break;
    if (digits == most_digits) return false;
    number = number << 4 | digit;
  }
  out = static_cast<T>(number);
  line.remove_prefix(digits);
  return digits > 0;
}

bool take_decimal(std::string_view& line, uint64_t& out) {
  const auto [stop, error] = std::from_chars(line.data(), line.data() + line.size(), out);
  if (error != std::errc{}) return false;
  line.remove_prefix(static_cast<size_t>(stop - line.data()));
  return true;
}

// '-' clears, `set` sets; nothing else may stand there.
bool take_flag(std::string_view& line, char set, char clear, uint8_t bit, uint8_t& perms) {
  if (take(line, clear)) return true;
  perms = static_cast<uint8_t>(perms | bit);
  return take(line, set);
}

bool take_perms(std::string_view& line, uint8_t& perms) {
  return take_flag(line, 'r', '-', kRead, perms) && take_flag(line, 'w', '-', kWrite, perms) &&
         take_flag(line, 'x', '-', kExec, perms) && take_flag(line, 's', 'p', kShared, perms);
}

bool take_dev(std::string_view& line, uint32_t& dev) {
  uint32_t major = 0;
  uint32_t minor = 0;
  if (!take_hex(line, 3, major) || !take(line, ':') || !take_hex(line, 5, minor)) return false;
  dev = major << 20 | minor;
  return true;
}

// By hand: the library's find_first_not_of takes most of the time of a whole line here.
std::string_view without_front(std::string_view text, char unwanted, char other) {
  size_t count = 0;
  while (count < text.size() && (text[count] == unwanted || text[count] == other)) count++;
  return text.substr(count);
}

std::string_view trimmed(std::string_view text) {
  text = without_front(text, ' ', '\t');
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// A field's name never looks like "7f00-": that begins the next mapping.
bool begins_mapping(std::string_view line) {
  size_t digits = 0;
  while (digits < line.size() && hex_digit(line[digits]) != kNoDigit) digits++;
  return digits > 0 && digits < line.size() && line[digits] == '-';
}

uint64_t eight_bytes(const char* from) {
  uint64_t bytes = 0;
  std::memcpy(&bytes, from, sizeof(bytes));
  return bytes;
}

// For lines of some 30 bytes, a million and a half of them: a call of memcmp costs more than the comparison.
bool starts_with(std::string_view text, std::string_view line) {
  const size_t length = line.size();
  if (text.size() < length || length < sizeof(uint64_t)) return text.substr(0, length) == line;
  for (size_t at = 0; at + sizeof(uint64_t) < length; at += sizeof(uint64_t)) {
    if (eight_bytes(text.data() + at) != eight_bytes(line.data() + at)) return false;
  }
  const size_t tail = length - sizeof(uint64_t);
  return eight_bytes(text.data() + tail) == eight_bytes(line.data() + tail);
}

// "1234 kB" or "1234"; anything else is text.
bool read_number(std::string_view value, double& out) {
  uint64_t number = 0;
  size_t digits = 0;
  while (digits < value.size() && value[digits] >= '0' && value[digits] <= '9') {
    number = number * 10 + static_cast<uint64_t>(value[digits++] - '0');
    if (digits > kMaxDigits) return false;
  }
  const std::string_view unit = value.substr(digits);
  if (digits == 0 || !(unit.empty() || unit == " kB")) return false;
  out = static_cast<double>(number) * (unit.empty() ? 1 : 1024);
  return true;
}

// --- interned strings --------------------------------------------------------------------------------------

// Neighbours share their text, or take turns (guard pages do): the last two are tried before the table.
class Interner {
 public:
  uint32_t operator()(std::string_view text, std::vector<std::string>& strings) {
    if (last_ < strings.size() && strings[last_] == text) return last_;
    std::swap(last_, before_);
    if (last_ < strings.size() && strings[last_] == text) return last_;
    return last_ = look_up(text, strings);
  }

 private:
  struct Hash : std::hash<std::string_view> {
    using is_transparent = void;  // looks a string_view up without making a string of it
  };

  uint32_t look_up(std::string_view text, std::vector<std::string>& strings) {
    const auto known = known_.find(text);
    if (known != known_.end()) return known->second;
    const auto place = static_cast<uint32_t>(strings.size());
    known_.emplace(text, place);
    strings.emplace_back(text);
    return place;
  }

  std::unordered_map<std::string, uint32_t, Hash, std::equal_to<>> known_ = {};
  uint32_t last_ = kAbsent;
  uint32_t before_ = kAbsent;
};

// --- the parser --------------------------------------------------------------------------------------------

class Parser {
 public:
  explicit Parser(Smaps& out) : out_(out) {}

  // Takes the file piece by piece; a line may lie in two of them. Stops for good at a malformed line.
  void feed(std::string_view piece) {
    if (carry_.empty()) {
      carry_ = piece.substr(lines(piece));
    } else {
      carry_ += piece;
      carry_.erase(0, lines(carry_));
    }
  }

  // The last line may lack its newline, and every column ends up as long as there are mappings.
  void finish() {
    if (!carry_.empty() && out_.bad_line == 0) line(carry_);
    const size_t rows = out_.start.size();
    for (Slot& slot : slots_) {
      if (slot.text) {
        write_run(slot);
        out_.texts[slot.column].index.resize(rows, kAbsent);
      } else if (slot.first == 0 && slot.last == rows) {
        out_.numbers[slot.column].values = constant(slot.number);
      } else {
        write_run(slot);
        out_.numbers[slot.column].values->resize(rows, kAbsentNumber);
      }
    }
  }

 private:
  // A field: its line as it was in the last mapping that had it, what that meant, and the run of mappings
  // that say so, [first, last), which is not in the column yet.
  struct Slot {
    std::string name;
    bool text;
    size_t column;
    std::string line = {};
    double number = 0;
    uint32_t string = 0;
    size_t first = 0;
    size_t last = 0;
  };

  // Where there are many there may be very many: room for as many as vm.max_map_count lets a process have by
  // default. It costs addresses, and memory only as it is used.
  void reserve() {
    for (auto* column : {&out_.start, &out_.end, &out_.offset, &out_.inode}) column->reserve(kMost);
    for (auto* column : {&out_.dev, &out_.path}) column->reserve(kMost);
    out_.perms.reserve(kMost);
  }

  // Parses the complete lines of `text` and says how many bytes they were.
  size_t lines(std::string_view text) {
    size_t done = 0;
    while (out_.bad_line == 0) {
      const std::string_view rest = text.substr(done);
      size_t length = repeat(rest);
      if (length == 0) {
        const size_t newline = rest.find('\n');
        if (newline == std::string_view::npos) break;
        line(rest.substr(0, newline));
        length = newline + 1;
      }
      done += length;
    }
    return done;
  }

  void line(std::string_view text) {
    line_++;
    if (begins_mapping(text) ? mapping(text) : field(text)) return;
    out_.bad_line = line_;
    out_.bad_text = text;
  }

  // A kernel writes the same fields in the same order for every mapping, and most lines are even the same as
  // last time ("Swap: 0 kB"): the run grows then and nothing is parsed. Returns the line's length with its
  // newline, 0 if it is not so.
  size_t repeat(std::string_view text) {
    if (next_ >= slots_.size()) return 0;
    Slot& slot = slots_[next_];
    if (slot.last + 1 != out_.start.size() || !starts_with(text, slot.line)) return 0;
    slot.last++;
    line_++;
    next_++;
    return slot.line.size();
  }

  bool mapping(std::string_view line) {
    uint64_t start = 0, end = 0, offset = 0, inode = 0;
    uint32_t dev = 0;
    uint8_t perms = 0;
    const bool ok = take_hex(line, 16, start) && take(line, '-') && take_hex(line, 16, end) &&
                    take(line, ' ') && take_perms(line, perms) && take(line, ' ') &&
                    take_hex(line, 16, offset) && take(line, ' ') && take_dev(line, dev) && take(line, ' ') &&
                    take_decimal(line, inode) && (line.empty() || line.front() == ' ');
    if (!ok) return false;
    if (out_.start.size() == kMany) reserve();
    out_.start.push_back(start);
    out_.end.push_back(end);
    out_.offset.push_back(offset);
    out_.inode.push_back(inode);
    out_.dev.push_back(dev);
    out_.perms.push_back(perms);
    out_.path.push_back(intern_path_(without_front(line, ' ', ' '), out_.paths));
    next_ = 0;
    return true;
  }

  bool field(std::string_view line) {
    const size_t colon = line.find(':');
    if (out_.start.empty() || colon == std::string_view::npos || colon == 0) return false;
    const std::string_view value = trimmed(line.substr(colon + 1));
    double number = 0;
    const bool text = !read_number(value, number);
    Slot& slot = slot_for(line.substr(0, colon), text);
    write_run(slot);
    slot.line.assign(line).push_back('\n');
    slot.number = number;
    if (text) slot.string = interners_[slot.column](value, out_.texts[slot.column].strings);
    slot.last = out_.start.size();
    slot.first = slot.last - 1;
    return true;
  }

  void write_run(const Slot& slot) {
    if (slot.text) {
      write_run(slot, out_.texts[slot.column].index, slot.string, kAbsent);
    } else {
      write_run(slot, *out_.numbers[slot.column].values, slot.number, kAbsentNumber);
    }
  }

  template <class T>
  static void write_run(const Slot& slot, std::vector<T>& column, T value, T absent) {
    column.resize(slot.first, absent);
    column.resize(slot.last, value);
  }

  std::shared_ptr<std::vector<double>> constant(double value) {
    for (const auto& known : constants_) {
      if (known->front() == value) return known;
    }
    return constants_.emplace_back(std::make_shared<std::vector<double>>(out_.start.size(), value));
  }

  Slot& slot_for(std::string_view name, bool text) {
    for (size_t tried = 0; tried < slots_.size(); tried++, next_++) {
      if (next_ >= slots_.size()) next_ = 0;
      Slot& slot = slots_[next_];
      if (slot.text == text && slot.name == name) return next_++, slot;
    }
    next_ = slots_.size() + 1;
    return add_column(name, text);
  }

  Slot& add_column(std::string_view name, bool text) {
    if (text) {
      out_.texts.push_back({.name = std::string(name)});
      interners_.emplace_back();
    } else {
      out_.numbers.push_back({.name = std::string(name)});
    }
    const size_t column = (text ? out_.texts.size() : out_.numbers.size()) - 1;
    return slots_.emplace_back(Slot{.name = std::string(name), .text = text, .column = column});
  }

  Smaps& out_;
  std::string carry_ = {};
  size_t line_ = 0;
  size_t next_ = 0;
  std::vector<Slot> slots_ = {};
  std::vector<std::shared_ptr<std::vector<double>>> constants_ = {};  // none of them empty
  std::vector<Interner> interners_ = {};
  Interner intern_path_ = {};
};

}  // namespace

// The kernel hands out a page of text at a time, which is parsed at once, while it is in the nearest cache. (A
// thread that reads ahead wins a sixth on an idle machine, and loses more than that on a busy one.)
int read_smaps(const char* name, Smaps& out) {
  const File file(name);
  if (!file.is_open()) return errno;
  Parser parser(out);
  std::vector<char> buffer(kBuffer);
  while (out.bad_line == 0) {
    const ssize_t got = file.read(buffer.data(), buffer.size());
    if (got < 0) return errno;
    if (got == 0) break;
    parser.feed({buffer.data(), static_cast<size_t>(got)});
  }
  parser.finish();
  out.truncated = !out.start.empty() && file.vanished();
  return 0;
}

}  // namespace memprobe::procfs
