// One conversion per C type, in both directions: In<T> reads an argument, Out<T> writes a result.
// In<T>: `Stored` is what is kept during the call, `read` fills it or leaves a JavaScript exception pending,
// `ts` is the TypeScript type, `show` how an error message prints it.
#pragma once

#include <node_api.h>
#include <sys/uio.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "failure.h"

namespace memprobe::js {

inline constexpr double kMaxSafeInteger = 9007199254740991.0;

template <class T>
struct In;
template <class T>
struct Out;

// A parameter of the call in progress. Its name is looked up in the table's row only when an error needs it.
struct Param {
  napi_env env;
  napi_callback_info info;
  size_t index;
  const char* suffix = "";

  MEMPROBE_SHARED std::string name() const;  // bind.cc
};

// Word number `index` of a row's parameter names.
inline std::string word(const char* names, size_t index) {
  for (size_t i = 0; i < index && *names != '\0'; i++) names += std::strcspn(names, " ") + 1;
  return {names, std::strcspn(names, " ")};
}

inline std::string hex(uintptr_t value) {
  std::array<char, 20> text{};
  std::snprintf(text.data(), text.size(), "0x%zx", value);
  return text.data();
}

inline bool is_type(napi_env env, napi_value value, napi_valuetype wanted) {
  napi_valuetype type = napi_undefined;
  return napi_typeof(env, value, &type) == napi_ok && type == wanted;
}

// --- numbers ------------------------------------------------------------------------------------------------------

// Out of the way, so that the usual way is short enough to be inlined everywhere.
[[gnu::cold, gnu::noinline]] inline bool refuse_number(napi_env env, napi_value value, const Param& param,
                                                       const char* expected) {
  const bool number = is_type(env, value, napi_number);
  failure::raise_argument(env, number ? failure::Kind::Range : failure::Kind::Type, param.name(),
                          number ? expected : "of type number", value);
  return false;
}

[[gnu::always_inline]] inline bool read_integer(napi_env env, napi_value value, const Param& param, double low,
                                                double high, const char* expected, double& out) {
  // NaN is in no range. (std::trunc would be a call into libm.)
  if (napi_get_value_double(env, value, &out) == napi_ok && out >= low && out <= high &&
      out == static_cast<double>(static_cast<int64_t>(out))) [[likely]] {
    return true;
  }
  return refuse_number(env, value, param, expected);
}

// int takes what C's conversion takes: MAP_HUGE_16GB is an unsigned 2281701376.
template <>
struct In<int> {
  using Stored = int;
  static constexpr const char* ts = "number";
  static bool read(napi_env env, napi_value value, const Param& param, int& out) {
    double number = 0;
    if (!read_integer(env, value, param, -2147483648.0, 4294967295.0, "a 32-bit integer", number)) return false;
    out = static_cast<int>(static_cast<int64_t>(number));
    return true;
  }
  static std::string show(int value) { return std::to_string(value); }
};

template <>
struct In<unsigned> {
  using Stored = unsigned;
  static constexpr const char* ts = "number";
  static bool read(napi_env env, napi_value value, const Param& param, unsigned& out) {
    double number = 0;
    if (!read_integer(env, value, param, 0, 4294967295.0, "an unsigned 32-bit integer", number)) return false;
    out = static_cast<unsigned>(number);
    return true;
  }
  static std::string show(unsigned value) { return std::to_string(value); }
};

template <>
struct In<size_t> {
  using Stored = size_t;
  static constexpr const char* ts = "number";
  [[gnu::always_inline]] static bool read(napi_env env, napi_value value, const Param& param, size_t& out) {
    double number = 0;
    if (!read_integer(env, value, param, 0, kMaxSafeInteger, "a safe integer >= 0", number)) return false;
    out = static_cast<size_t>(static_cast<int64_t>(number));  // one instruction; to unsigned it would be five
    return true;
  }
  static std::string show(size_t value) { return std::to_string(value); }
};

// off_t and intptr_t: 64 bits, signed, so a bigint is taken beside a number.
template <>
struct In<long> {
  using Stored = long;
  static constexpr const char* ts = "number | bigint";
  static bool read(napi_env env, napi_value value, const Param& param, long& out) {
    if (is_type(env, value, napi_bigint)) {
      int64_t wide = 0;
      bool lossless = false;
      if (napi_get_value_bigint_int64(env, value, &wide, &lossless) == napi_ok && lossless) return out = wide, true;
      failure::raise_argument(env, failure::Kind::Range, param.name(), "a signed 64-bit integer", value);
      return false;
    }
    double number = 0;
    if (!is_type(env, value, napi_number)) {
      failure::raise_argument(env, failure::Kind::Type, param.name(), "of type number or bigint", value);
      return false;
    }
    if (!read_integer(env, value, param, -kMaxSafeInteger, kMaxSafeInteger, "a safe integer (or a bigint)", number)) {
      return false;
    }
    out = static_cast<long>(number);
    return true;
  }
  static std::string show(long value) { return std::to_string(value); }
};

// --- addresses ----------------------------------------------------------------------------------------------------

template <>
struct In<void*> {
  using Stored = void*;
  static constexpr const char* ts = "Address";
  [[gnu::always_inline]] static bool read(napi_env env, napi_value value, const Param& param, void*& out) {
    uint64_t address = 0;
    bool lossless = false;
    if (napi_get_value_bigint_uint64(env, value, &address, &lossless) != napi_ok || !lossless) [[unlikely]] {
      return refuse(env, value, param);
    }
    out = reinterpret_cast<void*>(static_cast<uintptr_t>(address));
    return true;
  }
  static std::string show(const void* value) { return hex(reinterpret_cast<uintptr_t>(value)); }

 private:
  [[gnu::cold, gnu::noinline]] static bool refuse(napi_env env, napi_value value, const Param& param) {
    const bool bigint = is_type(env, value, napi_bigint);
    failure::raise_argument(env, bigint ? failure::Kind::Range : failure::Kind::Type, param.name(),
                            bigint ? "an address from 0n to 2n ** 64n - 1n" : "an address, of type bigint", value);
    return false;
  }
};
template <>
struct In<const void*> : In<void*> {};

// --- strings, bytes, lists ----------------------------------------------------------------------------------------

template <>
struct In<const char*> {
  using Stored = std::string;
  static constexpr const char* ts = "string";
  static bool read(napi_env env, napi_value value, const Param& param, std::string& out) {
    size_t length = 0;
    if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) {
      failure::raise_argument(env, failure::Kind::Type, param.name(), "of type string", value);
      return false;
    }
    out.resize(length + 1);
    if (napi_get_value_string_utf8(env, value, out.data(), length + 1, &length) != napi_ok) return false;
    out.resize(length);
    if (out.find('\0') == std::string::npos) return true;
    failure::raise_argument(env, failure::Kind::Range, param.name(), "a string without null bytes", value);
    return false;
  }
  static std::string show(const std::string& value) { return "'" + value + "'"; }
};

// The bytes of a Uint8Array. They stay JavaScript's during a synchronous call; `own` copies them for a later one.
struct Bytes {
  const uint8_t* data = nullptr;
  size_t length = 0;
  std::vector<uint8_t> copy = {};

  void own() {
    copy.assign(data, data + length);
    data = copy.data();
  }
};

inline bool is_uint8_array(napi_env env, napi_value value, uint8_t*& data, size_t& length) {
  bool typed = false;
  napi_typedarray_type type = napi_int8_array;
  void* start = nullptr;
  if (napi_is_typedarray(env, value, &typed) != napi_ok || !typed) return false;
  if (napi_get_typedarray_info(env, value, &type, &length, &start, nullptr, nullptr) != napi_ok) return false;
  data = static_cast<uint8_t*>(start);
  return type == napi_uint8_array;
}

template <>
struct In<const Bytes&> {
  using Stored = Bytes;
  static constexpr const char* ts = "Uint8Array";
  static bool read(napi_env env, napi_value value, const Param& param, Bytes& out) {
    uint8_t* data = nullptr;
    if (!is_uint8_array(env, value, data, out.length)) {
      failure::raise_argument(env, failure::Kind::Type, param.name(), "an instance of Uint8Array", value);
      return false;
    }
    out.data = data;
    return true;
  }
  static std::string show(const Bytes& value) { return std::to_string(value.length) + " bytes"; }
};

// Room for a result in a Uint8Array of the caller's: Filled goes into it when it is given, else into a new one.
struct Room {
  bool given = false;
  size_t length = 0;
};

template <>
struct In<Room> {
  using Stored = Room;
  static constexpr const char* ts = "Uint8Array";
  static bool read(napi_env env, napi_value value, const Param& param, Room& out) {
    if (is_type(env, value, napi_undefined)) return true;
    uint8_t* data = nullptr;
    out.given = is_uint8_array(env, value, data, out.length);
    if (!out.given) failure::raise_argument(env, failure::Kind::Type, param.name(), "an instance of Uint8Array", value);
    return out.given;
  }
  static std::string show(const Room&) { return ""; }
};

// [address, length] pairs.
using Ranges = std::vector<iovec>;

template <>
struct In<const Ranges&> {
  using Stored = Ranges;
  static constexpr const char* ts = "readonly (readonly [Address, number])[]";
  static bool read(napi_env env, napi_value value, const Param& param, Ranges& out) {
    bool array = false;
    uint32_t count = 0;
    if (napi_is_array(env, value, &array) != napi_ok || !array) {
      failure::raise_argument(env, failure::Kind::Type, param.name(), "an array of [address, length] pairs", value);
      return false;
    }
    if (napi_get_array_length(env, value, &count) != napi_ok) return false;
    for (uint32_t i = 0; i < count; i++) {
      if (!read_pair(env, value, i, param, out)) return false;
    }
    return true;
  }
  static std::string show(const Ranges& value) { return std::to_string(value.size()) + " ranges"; }

 private:
  static bool read_pair(napi_env env, napi_value list, uint32_t index, Param param, Ranges& out) {
    napi_value pair = nullptr;
    napi_value address = nullptr;
    napi_value length = nullptr;
    bool array = false;
    const std::string at = "[" + std::to_string(index) + "]";
    param.suffix = at.c_str();
    if (napi_get_element(env, list, index, &pair) != napi_ok) return false;
    if (napi_is_array(env, pair, &array) != napi_ok || !array) {
      failure::raise_argument(env, failure::Kind::Type, param.name(), "an [address, length] pair", pair);
      return false;
    }
    if (napi_get_element(env, pair, 0, &address) != napi_ok) return false;
    if (napi_get_element(env, pair, 1, &length) != napi_ok) return false;
    iovec range{};
    if (!In<void*>::read(env, address, param, range.iov_base)) return false;
    if (!In<size_t>::read(env, length, param, range.iov_len)) return false;
    out.push_back(range);
    return true;
  }
};

// A trailing argument that may be left out.
template <class T>
struct In<std::optional<T>> {
  using Stored = std::optional<T>;
  static constexpr const char* ts = In<T>::ts;
  static bool read(napi_env env, napi_value value, const Param& param, Stored& out) {
    if (is_type(env, value, napi_undefined)) return true;
    return In<T>::read(env, value, param, out.emplace());
  }
  static std::string show(const Stored& value) { return value ? In<T>::show(*value) : ""; }
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <>
inline constexpr bool is_optional<Room> = true;

// --- results ------------------------------------------------------------------------------------------------------
// `write` gets the call's arguments too, for a result that goes where the caller asked for it. nullptr: an exception
// is pending.

using Arguments = const napi_value*;

inline napi_value undefined(napi_env env) {
  napi_value value = nullptr;
  return napi_get_undefined(env, &value) == napi_ok ? value : nullptr;
}

inline napi_value number(napi_env env, double from) {
  napi_value value = nullptr;
  return napi_create_double(env, from, &value) == napi_ok ? value : nullptr;
}

template <>
struct Out<int> {
  static std::string ts() { return "number"; }
  static napi_value write(napi_env env, int from, Arguments) {
    napi_value value = nullptr;
    return napi_create_int32(env, from, &value) == napi_ok ? value : nullptr;
  }
};
template <>
struct Out<size_t> {
  static std::string ts() { return "number"; }
  static napi_value write(napi_env env, size_t from, Arguments) { return number(env, static_cast<double>(from)); }
};
template <>
struct Out<long> {
  static std::string ts() { return "number"; }
  static napi_value write(napi_env env, long from, Arguments) { return number(env, static_cast<double>(from)); }
};
template <>
struct Out<bool> {
  static std::string ts() { return "boolean"; }
  static napi_value write(napi_env env, bool from, Arguments) {
    napi_value value = nullptr;
    return napi_get_boolean(env, from, &value) == napi_ok ? value : nullptr;
  }
};
template <>
struct Out<void*> {
  static std::string ts() { return "Address"; }
  static napi_value write(napi_env env, const void* from, Arguments) {
    napi_value value = nullptr;
    return napi_create_bigint_uint64(env, reinterpret_cast<uintptr_t>(from), &value) == napi_ok ? value : nullptr;
  }
};
template <>
struct Out<std::string> {
  static std::string ts() { return "string"; }
  static napi_value write(napi_env env, const std::string& from, Arguments) {
    napi_value value = nullptr;
    return napi_create_string_utf8(env, from.data(), from.size(), &value) == napi_ok ? value : nullptr;
  }
};

// Bytes of an ArrayBuffer, and of a typed array, that this Node can make: buffer.constants.MAX_LENGTH.
MEMPROBE_SHARED size_t longest_buffer(napi_env env);
// V8 ends the process over a buffer that is too long or for which there is no memory: false with an exception instead.
MEMPROBE_SHARED bool allows_buffer(napi_env env, size_t bytes);

// A typed array that holds a copy of `from`.
template <class T>
napi_value typed_array(napi_env env, napi_typedarray_type type, const T* from, size_t count) {
  void* data = nullptr;
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  if (!allows_buffer(env, count * sizeof(T))) return nullptr;
  if (napi_create_arraybuffer(env, count * sizeof(T), &data, &buffer) != napi_ok) return nullptr;
  if (count != 0) std::memcpy(data, from, count * sizeof(T));
  return napi_create_typedarray(env, type, count, buffer, 0, &array) == napi_ok ? array : nullptr;
}

template <>
struct Out<std::vector<uint8_t>> {
  static std::string ts() { return "Uint8Array"; }
  static napi_value write(napi_env env, const std::vector<uint8_t>& from, Arguments) {
    return typed_array(env, napi_uint8_array, from.data(), from.size());
  }
};

// Bytes for the Room that argument number `argument` may be. A caller's array that shrank or was detached while a
// promise ran is left alone.
struct Filled {
  std::vector<uint8_t> bytes = {};
  size_t argument = 0;
};
template <>
struct Out<Filled> {
  static std::string ts() { return "Uint8Array"; }
  static napi_value write(napi_env env, const Filled& from, Arguments arguments) {
    uint8_t* data = nullptr;
    size_t room = 0;
    napi_value given = arguments[from.argument];
    if (!is_uint8_array(env, given, data, room) || room < from.bytes.size()) {
      return Out<std::vector<uint8_t>>::write(env, from.bytes, arguments);
    }
    if (!from.bytes.empty()) std::memcpy(data, from.bytes.data(), from.bytes.size());
    return given;
  }
};

// A C struct becomes an object with C's field names: specialize Fields<S> with a `list` of FIELD(S, name)s.
template <class S>
struct Fields;
template <class S, class M>
struct Field {
  const char* name;
  M S::*member;
};
#define FIELD(S, name) ::memprobe::js::Field<S, decltype(S::name)>{#name, &S::name}

template <class S>
  requires requires { Fields<S>::list; }
struct Out<S> {
  static std::string ts() {
    std::string text = "{ ";
    std::apply([&](auto... field) { (text.append(field.name).append(": number; "), ...); }, Fields<S>::list);
    return text + "}";
  }
  static napi_value write(napi_env env, const S& from, Arguments) {
    napi_value object = nullptr;
    if (napi_create_object(env, &object) != napi_ok) return nullptr;
    const bool ok = std::apply(
        [&](auto... field) {
          return ((napi_set_named_property(env, object, field.name,
                                           number(env, static_cast<double>(from.*field.member))) == napi_ok) &&
                  ...);
        },
        Fields<S>::list);
    return ok ? object : nullptr;
  }
};

}  // namespace memprobe::js
