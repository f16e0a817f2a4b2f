// The log reader as JavaScript gets it, which lib/mtrace/native_log.ts calls.
#include <memory>
#include <mutex>

#include "../bind/handle.h"
#include "../topics.h"
#include "log.h"

namespace memprobe {
namespace {

// A log in JavaScript's hands, and on the thread pool's meanwhile.
struct OpenLog {
  static constexpr napi_type_tag kind{0x6d656d70726f6265, 0x6d74726163656c01};
  static constexpr const char* from = "what mtrace_log() returned";
  explicit OpenLog(size_t oddities) : log(oddities) {}
  mtrace::Log log;
  std::mutex one_at_a_time = {};
};

using Handle = std::shared_ptr<OpenLog>;

struct Progress {
  mtrace::Counts counts = {};
  std::vector<mtrace::Oddity> oddities = {};
  std::vector<std::string> sites = {};
};

struct Columns {
  std::vector<uint64_t> address = {};
  std::vector<double> size = {};
  std::vector<double> line = {};
  std::vector<uint32_t> site = {};
};

}  // namespace

namespace js {

template <>
struct Out<Progress> {
  static std::string ts() {
    return "{ lines: number; bytes: number; operations: number; failed: number; malformed: number; "
           "unknownFrees: number; duplicates: number; started: boolean; ended: boolean; cut: boolean; "
           "atEnd: boolean; sites: string[]; "
           "oddities: { operation: string; address: bigint; line: number; site: number }[] }";
  }
  static napi_value write(napi_env env, const Progress& from, Arguments) {
    const mtrace::Counts& counts = from.counts;
    Napi::Object out = Napi::Object::New(env);
    const auto number = [&](const char* name, uint64_t value) { out.Set(name, static_cast<double>(value)); };
    number("lines", counts.lines);
    number("bytes", counts.bytes);
    number("operations", counts.operations);
    number("failed", counts.failed);
    number("malformed", counts.malformed);
    number("unknownFrees", counts.unknown_frees);
    number("duplicates", counts.duplicates);
    out.Set("started", counts.started);
    out.Set("ended", counts.ended);
    out.Set("cut", counts.cut);
    out.Set("atEnd", counts.at_end);
    out.Set("sites", sites(env, from.sites));
    out.Set("oddities", oddities(env, from.oddities));
    return out;
  }

 private:
  static Napi::Array sites(napi_env env, const std::vector<std::string>& texts) {
    Napi::Array out = Napi::Array::New(env, texts.size());
    for (uint32_t i = 0; i < texts.size(); i++) out.Set(i, texts[i]);
    return out;
  }
  static Napi::Array oddities(napi_env env, const std::vector<mtrace::Oddity>& all) {
    Napi::Array out = Napi::Array::New(env, all.size());
    for (uint32_t i = 0; i < all.size(); i++) {
      const Napi::HandleScope scope(env);
      Napi::Object one = Napi::Object::New(env);
      one.Set("operation", std::string(1, all[i].operation));
      one.Set("address", Napi::BigInt::New(env, all[i].address));
      one.Set("line", static_cast<double>(all[i].line));
      one.Set("site", static_cast<double>(all[i].site));
      out.Set(i, one);
    }
    return out;
  }
};

template <>
struct Out<Columns> {
  static std::string ts() {
    return "{ address: BigUint64Array; size: Float64Array; line: Float64Array; site: Uint32Array }";
  }
  static napi_value write(napi_env env, const Columns& from, Arguments) {
    Napi::Object out = Napi::Object::New(env);
    const size_t count = from.site.size();
    out.Set("address", typed_array(env, napi_biguint64_array, from.address.data(), count));
    out.Set("size", typed_array(env, napi_float64_array, from.size.data(), count));
    out.Set("line", typed_array(env, napi_float64_array, from.line.data(), count));
    out.Set("site", typed_array(env, napi_uint32_array, from.site.data(), count));
    return out;
  }
};

}  // namespace js

namespace {

Result<Progress> read_on(const Handle& open, int fd, size_t length) {
  const std::lock_guard lock(open->one_at_a_time);
  if (const int error = open->log.read(fd, length); error != 0) return {.failure = fail(error)};
  return {.value = {open->log.counts(), open->log.take_oddities(), open->log.take_sites()}};
}

Columns blocks_of(const Handle& open) {
  const std::lock_guard lock(open->one_at_a_time);
  Columns out;
  open->log.live().each([&](uint64_t address, const mtrace::Block& block) {
    out.address.push_back(address);
    out.size.push_back(static_cast<double>(block.size));
    out.line.push_back(static_cast<double>(block.line));
    out.site.push_back(block.site);
  });
  return out;
}

constexpr bind::Entry table[] = {
    SHAPE(mtrace_log, Never, "oddities", [](size_t oddities) { return std::make_shared<OpenLog>(oddities); }),
    SHAPE(mtrace_log_read, Told, "log fd length", [](const Handle& log, int fd, size_t length) {
      return read_on(log, fd, length);
    }).blocking(),
    SHAPE(mtrace_log_blocks, Never, "log", [](const Handle& log) { return blocks_of(log); }).blocking(),
};

}  // namespace

const bind::Topic topic::mtrace_log{"mtrace_log", nullptr, table};

}  // namespace memprobe
