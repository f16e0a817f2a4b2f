#include "smaps_reader.h"

#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <string_view>
#include <unordered_map>

#include "readahead.h"

namespace memprobe::procfs {
namespace {

// Up to here any number, and 1024 times it, is exact as a double.
constexpr size_t kMaxDigits = 15;
constexpr double kAbsentNumber = std::numeric_limits<double>::quiet_NaN();

// --- pieces of a line ---------------------------------------------------------------------------------------------
// Each takes what it recognizes off the front of `line` and says whether it was there.

bool take(std::string_view& line, char wanted) {
  if (line.empty() || line.front() != wanted) return false;
  line.remove_prefix(1);
  return true;
}

bool is_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

template <class T>
bool take_hex(std::string_view& line, size_t most_digits, T& out) {
  uint64_t number = 0;
  size_t digits = 0;
  for (; digits < line.size() && is_hex(line[digits]); digits++) {
    if (digits == most_digits) return false;
    number = number << 4 | static_cast<uint64_t>(line[digits] <= '9' ? line[digits] - '0' : line[digits] - 'a' + 10);
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
  while (digits < line.size() && is_hex(line[digits])) digits++;
  return digits > 0 && digits < line.size() && line[digits] == '-';
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

// --- interned strings ---------------------------------------------------------------------------------------------

// Neighbours mostly share their text, so the last one is tried before the table.
class Interner {
 public:
  uint32_t operator()(std::string_view text, std::vector<std::string>& strings) {
    if (last_ < strings.size() && strings[last_] == text) return last_;
    const auto [entry, is_new] = known_.try_emplace(std::string(text), static_cast<uint32_t>(strings.size()));
    if (is_new) strings.emplace_back(text);
    return last_ = entry->second;
  }

 private:
  std::unordered_map<std::string, uint32_t> known_ = {};
  uint32_t last_ = kAbsent;
};

// --- the parser ---------------------------------------------------------------------------------------------------

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
    for (Slot& slot : slots_) {
      write_run(slot);
      const size_t rows = out_.start.size();
      if (slot.text) {
        out_.texts[slot.column].index.resize(rows, kAbsent);
      } else {
        out_.numbers[slot.column].values.resize(rows, kAbsentNumber);
      }
    }
  }

 private:
  // A field: its line as it was in the last mapping that had it, what that meant, and the run of mappings that say
  // so, [first, last), which is not in the column yet.
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

  // A kernel writes the same fields in the same order for every mapping, and most lines are even the same as last
  // time ("Swap: 0 kB"): the run grows then and nothing is parsed. Returns the line's length with its newline, 0 if
  // it is not so.
  size_t repeat(std::string_view text) {
    if (next_ >= slots_.size()) return 0;
    Slot& slot = slots_[next_];
    const size_t length = slot.line.size();
    if (slot.last + 1 != out_.start.size() || text.size() <= length || text[length] != '\n') return 0;
    if (std::memcmp(text.data(), slot.line.data(), length) != 0) return 0;
    slot.last++;
    line_++;
    next_++;
    return length + 1;
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
    slot.line = line;
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
      write_run(slot, out_.numbers[slot.column].values, slot.number, kAbsentNumber);
    }
  }

  template <class T>
  static void write_run(const Slot& slot, std::vector<T>& column, T value, T absent) {
    column.resize(slot.first, absent);
    column.resize(slot.last, value);
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
  std::vector<Interner> interners_ = {};
  Interner intern_path_ = {};
};

}  // namespace

int read_smaps(const char* name, Smaps& out) {
  const File file(name);
  if (!file.is_open()) return errno;
  ReadAhead pieces(file);
  Parser parser(out);
  while (out.bad_line == 0) {
    const std::string_view piece = pieces.next();
    if (piece.empty()) break;
    parser.feed(piece);
  }
  parser.finish();
  out.truncated = !out.start.empty() && file.vanished();
  return pieces.error();
}

}  // namespace memprobe::procfs
