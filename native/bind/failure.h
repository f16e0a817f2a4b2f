// The only place that throws into JavaScript: system errors in Node's shape, argument errors with Node's codes,
// and the package's own ERR_MEMPROBE_* codes. Also the failure policies: how each C convention says "it failed".
#pragma once

#include <node_api.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <sys/mman.h>

#include "shared.h"

namespace memprobe {

// What a call that failed has to say. `code` empty means a system error, told by `number` alone.
struct Failure {
  int number = 0;
  std::string code = {};
  std::string message = {};

  explicit operator bool() const { return number != 0 || !code.empty(); }
};

// The result of a row whose convention no plain policy describes.
template <class T>
struct Result {
  T value{};
  Failure failure{};
};

inline Failure fail(int number) { return {.number = number}; }
inline Failure fail(std::string code, std::string message) {
  return {.number = 0, .code = std::move(code), .message = std::move(message)};
}

namespace failure {

// `call` is the C function with its arguments, as a person would write it: "mlock 0x7f00+4096".
MEMPROBE_SHARED napi_value create(napi_env env, const Failure& failure, const char* syscall, const std::string& call);
MEMPROBE_SHARED void raise(napi_env env, const Failure& failure, const char* syscall, const std::string& call);

enum class Kind { Type, Range };
// `The "length" argument must be …. Received …`: Node's own wording and codes.
MEMPROBE_SHARED void raise_argument(napi_env env, Kind kind, const std::string& param, const char* expected,
                                    napi_value got);

}  // namespace failure

// How a C function says that it failed. `failed(result)` is the errno, 0 for success; `returns` says whether the
// result of a success means anything to the caller.
struct MinusOne {  // 0 or -1: a status, nothing to return
  static constexpr bool returns = false;
  static int failed(long result) { return result == -1 ? errno : 0; }
};
struct ValueOrMinusOne {  // a descriptor, a count … or -1
  static constexpr bool returns = true;
  static int failed(long result) { return result == -1 ? errno : 0; }
};
struct MapFailed {  // an address, which may be 0, or MAP_FAILED
  static constexpr bool returns = true;
  static int failed(const void* result) { return result == MAP_FAILED ? errno : 0; }
};
struct Null {  // an address, or NULL
  static constexpr bool returns = true;
  static int failed(const void* result) { return result == nullptr ? errno : 0; }
};
struct Returned {  // the result is the error number; errno is untouched
  static constexpr bool returns = false;
  static int failed(int result) { return result; }
};
struct Never {  // a plain result
  static constexpr bool returns = true;
  template <class T>
  static int failed(const T&) {
    return 0;
  }
};
struct Told {  // the row says itself, in a Result<T>
  static constexpr bool returns = true;
  template <class T>
  static const Failure& failed(const Result<T>& result) {
    return result.failure;
  }
};

}  // namespace memprobe
