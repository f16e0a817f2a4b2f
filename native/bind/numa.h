// What the NUMA calls of both addons take beside numbers and addresses: node masks, and lists of pages and their nodes.
#pragma once

#include <algorithm>

#include "js.h"

namespace memprobe::js {

struct NodeMask {
  static constexpr size_t kWordBits = 8 * sizeof(unsigned long);
  // The kernel reads no mask that is longer than its smallest page; it has 1024 nodes at the most.
  static constexpr size_t kBits = size_t{8} * 4096;

  std::vector<unsigned long> words = {};

  void add(size_t node) {
    const size_t word = node / kWordBits;
    if (word >= words.size()) words.resize(word + 1);
    words[word] |= 1UL << node % kWordBits;
  }
  bool has(size_t node) const { return (words[node / kWordBits] >> node % kWordBits & 1) != 0; }
  size_t bits() const { return words.size() * kWordBits; }
  // What the system calls want to be told: they take one off.
  unsigned long maxnode() const { return bits() + 1; }
};

// null and undefined have no properties: asking is an exception without a name for the parameter.
inline bool is_nothing(napi_env env, napi_value value) {
  return is_type(env, value, napi_null) || is_type(env, value, napi_undefined);
}

inline bool get_function(napi_env env, napi_value object, const char* name, napi_value& out) {
  return napi_get_named_property(env, object, name, &out) == napi_ok && is_type(env, out, napi_function);
}

// `for (const value of iterable)`, step by step. What JavaScript throws on the way stays pending.
class Iteration {
 public:
  // False without an exception: not iterable.
  bool begin(napi_env env, napi_value iterable) {
    env_ = env;
    napi_value global = nullptr;
    napi_value symbol = nullptr;
    napi_value key = nullptr;
    napi_value start = nullptr;
    return !is_nothing(env, iterable) && napi_get_global(env, &global) == napi_ok && get_function(env, global, "Symbol", symbol) &&
           napi_get_named_property(env, symbol, "iterator", &key) == napi_ok &&
           napi_get_property(env, iterable, key, &start) == napi_ok && is_type(env, start, napi_function) &&
           napi_call_function(env, iterable, start, 0, nullptr, &iterator_) == napi_ok &&
           !is_nothing(env, iterator_) &&
           get_function(env, iterator_, "next", next_);
  }

  enum class Step { Value, End, Failed };

  Step step(napi_value& value) {
    napi_value result = nullptr;
    napi_value done = nullptr;
    bool ended = false;
    if (napi_call_function(env_, iterator_, next_, 0, nullptr, &result) != napi_ok || is_nothing(env_, result) ||
        napi_get_named_property(env_, result, "done", &done) != napi_ok ||
        napi_coerce_to_bool(env_, done, &done) != napi_ok || napi_get_value_bool(env_, done, &ended) != napi_ok) {
      return Step::Failed;
    }
    if (ended) return Step::End;
    return napi_get_named_property(env_, result, "value", &value) == napi_ok ? Step::Value : Step::Failed;
  }

  // Left before its end, for the exception that is pending: the iterator may clean up, the exception stays.
  void abandon() {
    napi_value error = nullptr;
    napi_value finish = nullptr;
    if (napi_get_and_clear_last_exception(env_, &error) != napi_ok) return;
    if (get_function(env_, iterator_, "return", finish)) {
      napi_call_function(env_, iterator_, finish, 0, nullptr, nullptr);
    }
    napi_value other = nullptr;
    napi_get_and_clear_last_exception(env_, &other);
    napi_throw(env_, error);
  }

 private:
  napi_env env_ = nullptr;
  napi_value iterator_ = nullptr;
  napi_value next_ = nullptr;
};

template <>
struct In<const NodeMask&> {
  using Stored = NodeMask;
  static constexpr const char* ts = "NodeMask";
  static bool read(napi_env env, napi_value value, const Param& param, NodeMask& out) {
    Iteration iteration;
    if (!iteration.begin(env, value)) return refuse(env, value, param);
    for (size_t index = 0;; index++) {
      napi_handle_scope scope = nullptr;
      napi_value node = nullptr;
      if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
      const Step step = iteration.step(node);
      const bool good = step == Step::Value ? read_node(env, node, param, index, out) : step == Step::End;
      if (step == Step::Value && !good) iteration.abandon();
      if (step == Step::Failed) refuse(env, value, param);
      if (napi_close_handle_scope(env, scope) != napi_ok || !good) return false;
      if (step == Step::End) return true;
    }
  }
  // As numactl writes it: 0-2,5. As much of it as an error can use.
  static std::string show(const NodeMask& mask) { return text(mask, 200); }
  // Of a mask of libnuma's, which may have 2^31 bits, no more than `most` characters and three dots.
  static std::string text(const NodeMask& mask, size_t most) {
    std::string text;
    for (size_t node = 0; node < mask.bits(); node++) {
      if (!mask.has(node)) continue;
      if (text.size() > most) return text + "...";
      const size_t first = node;
      while (node + 1 < mask.bits() && mask.has(node + 1)) node++;
      text += (text.empty() ? "" : ",") + std::to_string(first);
      if (node > first) text += "-" + std::to_string(node);
    }
    return text.empty() ? "no nodes" : text;
  }

 private:
  using Step = Iteration::Step;

  // Where JavaScript has thrown already, that stays what is thrown.
  static bool refuse(napi_env env, napi_value value, const Param& param) {
    failure::raise_argument(env, failure::Kind::Type, param.name(), "an iterable of node numbers", value);
    return false;
  }

  static bool read_node(napi_env env, napi_value value, Param param, size_t index, NodeMask& out) {
    if (index >= NodeMask::kBits) {  // an iterable may have no end
      failure::raise_argument(env, failure::Kind::Range, param.name(), "no more than 32768 node numbers", value);
      return false;
    }
    const std::string at = "[" + std::to_string(index) + "]";
    param.suffix = at.c_str();
    double node = 0;
    if (!read_integer(env, value, param, 0, NodeMask::kBits - 1.0, "a node number from 0 to 32767", node)) {
      return false;
    }
    out.add(static_cast<size_t>(node));
    return true;
  }
};

// What a pointer argument points to, which may be nothing.
template <class T>
struct Nullable {
  std::optional<T> value = {};
};
template <class T>
const T* pass(const Nullable<T>& stored) {
  return stored.value ? &*stored.value : nullptr;
}

template <>
struct In<const NodeMask*> {
  using Stored = Nullable<NodeMask>;
  static constexpr const char* ts = "NodeMask | null";
  static bool read(napi_env env, napi_value value, const Param& param, Stored& out) {
    if (is_type(env, value, napi_null)) return true;
    return In<const NodeMask&>::read(env, value, param, out.value.emplace());
  }
  static std::string show(const Stored& mask) {
    return mask.value ? In<const NodeMask&>::show(*mask.value) : "null";
  }
};

template <>
struct Out<NodeMask> {
  static std::string ts() { return "number[]"; }
  static napi_value write(napi_env env, const NodeMask& mask, Arguments) {
    napi_value list = nullptr;
    uint32_t count = 0;
    if (napi_create_array(env, &list) != napi_ok) return nullptr;
    for (size_t node = 0; node < mask.bits(); node++) {
      if (!mask.has(node)) continue;
      napi_value value = number(env, static_cast<double>(node));
      if (value == nullptr || napi_set_element(env, list, count++, value) != napi_ok) return nullptr;
    }
    return list;
  }
};

// --- pages and their nodes ----------------------------------------------------------------------------------------
// Copied at once: reading the next argument may run JavaScript that changes or detaches an array.

template <class T>
bool read_elements(napi_env env, napi_value list, Param param, std::vector<T>& out) {
  uint32_t count = 0;
  if (napi_get_array_length(env, list, &count) != napi_ok) return false;
  for (uint32_t i = 0; i < count; i++) {
    napi_handle_scope scope = nullptr;
    napi_value value = nullptr;
    const std::string at = "[" + std::to_string(i) + "]";
    param.suffix = at.c_str();
    if (napi_open_handle_scope(env, &scope) != napi_ok) return false;
    const bool read = napi_get_element(env, list, i, &value) == napi_ok &&
                      In<T>::read(env, value, param, out.emplace_back());
    if (napi_close_handle_scope(env, scope) != napi_ok || !read) return false;
  }
  return true;
}

// The elements of a typed array of this type, or of an array.
template <class T>
bool read_list(napi_env env, napi_value value, const Param& param, napi_typedarray_type wanted, const char* expected,
               std::vector<T>& out) {
  bool is_typed = false;
  bool is_list = false;
  napi_typedarray_type type = napi_int8_array;
  size_t length = 0;
  void* data = nullptr;
  if (napi_is_typedarray(env, value, &is_typed) != napi_ok || napi_is_array(env, value, &is_list) != napi_ok) {
    return false;
  }
  if (is_typed && napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) != napi_ok) {
    return false;
  }
  if (is_list) return read_elements(env, value, param, out);
  if (!is_typed || type != wanted) {
    failure::raise_argument(env, failure::Kind::Type, param.name(), expected, value);
    return false;
  }
  out.assign(static_cast<const T*>(data), static_cast<const T*>(data) + length);
  return true;
}

using Pages = std::vector<void*>;
using PageNodes = std::vector<int>;

template <>
struct In<const Pages&> {
  using Stored = Pages;
  static constexpr const char* ts = "BigUint64Array | readonly Address[]";
  static bool read(napi_env env, napi_value value, const Param& param, Pages& out) {
    return read_list(env, value, param, napi_biguint64_array, "a BigUint64Array or an array of addresses", out);
  }
  static std::string show(const Pages& pages) { return std::to_string(pages.size()) + " pages"; }
};

// null asks where the pages are.
template <>
struct In<const PageNodes*> {
  using Stored = Nullable<PageNodes>;
  static constexpr const char* ts = "Int32Array | readonly number[] | null";
  static bool read(napi_env env, napi_value value, const Param& param, Stored& out) {
    if (is_type(env, value, napi_null)) return true;
    return read_list(env, value, param, napi_int32_array, "an Int32Array, an array of node numbers or null",
                     out.value.emplace());
  }
  static std::string show(const Stored& nodes) {
    return nodes.value ? std::to_string(nodes.value->size()) + " nodes" : "null";
  }
};

template <>
struct Out<std::vector<int>> {
  static std::string ts() { return "Int32Array"; }
  static napi_value write(napi_env env, const std::vector<int>& from, Arguments) {
    return typed_array(env, napi_int32_array, from.data(), from.size());
  }
};

}  // namespace memprobe::js
