#include "failure.h"

#include <dlfcn.h>

#include <array>
#include <cstring>

namespace memprobe::failure {
namespace {

using ErrnoText = const char* (*)(int);

ErrnoText lookup(const char* name) { return reinterpret_cast<ErrnoText>(dlsym(RTLD_DEFAULT, name)); }

// libuv's spelling is Node's (95 is ENOTSUP there and EOPNOTSUPP in glibc): an error of ours and one of fs's compare
// equal. Looked up, because other hosts of Node-API have no libuv and glibc has strerrorname_np since 2.32 only.
std::string name_of(int number) {
  static const ErrnoText uv = lookup("uv_err_name");
  static const ErrnoText glibc = lookup("strerrorname_np");
  const char* name = nullptr;
  if (uv != nullptr) name = uv(-number);
  if ((name == nullptr || std::strncmp(name, "Unknown", 7) == 0) && glibc != nullptr) name = glibc(number);
  return name != nullptr ? name : "E" + std::to_string(number);
}

std::string text_of(int number) {
  std::array<char, 128> buffer{};
  return strerror_r(number, buffer.data(), buffer.size());
}

napi_value string(napi_env env, const std::string& text) {
  napi_value value = nullptr;
  return napi_create_string_utf8(env, text.data(), text.size(), &value) == napi_ok ? value : nullptr;
}

std::string utf8(napi_env env, napi_value value) {
  napi_value text = nullptr;
  std::array<char, 64> buffer{};
  size_t length = 0;
  if (napi_coerce_to_string(env, value, &text) != napi_ok) return "?";
  if (napi_get_value_string_utf8(env, text, buffer.data(), buffer.size(), &length) != napi_ok) return "?";
  return length + 1 == buffer.size() ? std::string(buffer.data(), length) + "..." : std::string(buffer.data(), length);
}

std::string describe(napi_env env, napi_value value) {
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, value, &type) != napi_ok) return "an unreadable value";
  switch (type) {
    case napi_undefined: return "undefined";
    case napi_null: return "null";
    case napi_number: return "type number (" + utf8(env, value) + ")";
    case napi_bigint: return "type bigint (" + utf8(env, value) + "n)";
    case napi_boolean: return "type boolean (" + utf8(env, value) + ")";
    case napi_string: return "type string ('" + utf8(env, value) + "')";
    case napi_symbol: return "type symbol";
    case napi_function: return "a function";
    default: return "an object";
  }
}

}  // namespace

napi_value create(napi_env env, const Failure& failure, const char* syscall, const std::string& call) {
  const bool system = failure.code.empty();
  const std::string code = system ? name_of(failure.number) : failure.code;
  const std::string why = failure.message.empty() ? text_of(failure.number) : failure.message;
  napi_value error = nullptr;
  napi_value message = string(env, code + ": " + why + ", " + call);
  const auto make = code == "ERR_OUT_OF_RANGE" ? napi_create_range_error : napi_create_error;
  if (message == nullptr || make(env, string(env, code), message, &error) != napi_ok) return nullptr;
  napi_value name = string(env, syscall);
  if (name != nullptr) napi_set_named_property(env, error, "syscall", name);
  napi_value number = nullptr;
  if (failure.number != 0 && napi_create_int32(env, -failure.number, &number) == napi_ok) {
    napi_set_named_property(env, error, "errno", number);
  }
  return error;
}

void raise(napi_env env, const Failure& failure, const char* syscall, const std::string& call) {
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) != napi_ok || pending) return;
  napi_value error = create(env, failure, syscall, call);
  if (error != nullptr) napi_throw(env, error);
}

void raise_argument(napi_env env, Kind kind, const std::string& param, const char* expected, napi_value got) {
  bool pending = false;
  if (napi_is_exception_pending(env, &pending) != napi_ok || pending) return;
  const std::string received = ". Received " + describe(env, got);
  if (kind == Kind::Type) {
    const std::string message = "The \"" + param + "\" argument must be " + expected + received;
    napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message.c_str());
  } else {
    const std::string message = "The value of \"" + param + "\" is out of range. It must be " + expected + received;
    napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message.c_str());
  }
}

}  // namespace memprobe::failure
