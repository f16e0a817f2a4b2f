// struct bitmask on its way from and to JavaScript: the class Bitmask is one, and where libnuma only reads a mask any
// iterable of numbers will do.
#pragma once

#include <numa.h>

#include "../bind/numa.h"

namespace memprobe::numa {

// What a Bitmask object wraps. libnuma's own masks come as copies that can't be changed or freed.
struct Wrapped {
  bitmask* mask = nullptr;  // nullptr: freed
  bool constant = false;
  int64_t bytes = 0;  // that V8 was told of
};

// nullptr: no Bitmask.
Wrapped* unwrap(napi_env env, napi_value value);
// A Bitmask object that owns `mask`, which is freed if there can't be one: nullptr then, with an exception pending.
napi_value wrap(napi_env env, bitmask* mask, bool constant = false);
// The class, made anew for each environment.
napi_value define_class(napi_env env);

js::NodeMask words_of(const bitmask* mask);

// A mask of this many bits, or nullptr: libnuma's numa_bitmask_alloc ends the process where there is no memory.
bitmask* allocate(size_t bits);

// --- arguments ----------------------------------------------------------------------------------------------------

// A Bitmask to be read, of any size.
struct Bits {
  bitmask* mask = nullptr;
};
// A Bitmask to be changed.
struct Target {
  bitmask* mask = nullptr;
};
// A Bitmask to be freed: what it wraps, so that it can be marked.
struct Doomed {
  Wrapped* wrapped = nullptr;
};

// A set of nodes or cpus, to be read: a Bitmask, as it is, or any iterable of numbers of this machine. A copy: reading
// the next argument may run JavaScript that frees it.
class Set {
 public:
  bitmask* get() const { return &mask_; }
  bool read(napi_env env, napi_value value, const js::Param& param, size_t bits, bool (*exists)(size_t),
            const char* expected);
  std::string show() const;

 private:
  js::NodeMask words_ = {};
  mutable bitmask mask_ = {};  // C's functions that only read it do not say so
};
struct Nodes : Set {};
struct Cpus : Set {};
inline bitmask* pass(const Nodes& nodes) { return nodes.get(); }

// The number of a node that this machine has.
struct Node {
  int number = 0;
};
// … or -1.
struct NodeOrNone {
  int number = 0;
};
struct Cpu {
  int number = 0;
};

bool is_node(size_t number);
bool is_cpu(size_t number);

// --- results ------------------------------------------------------------------------------------------------------

// A mask that a call fills: the one that it was given as argument number `argument`, or a new one.
struct Filled {
  bitmask* made = nullptr;
  size_t argument = 0;
};
// NULL is an answer.
struct Parsed {
  bitmask* mask = nullptr;
};

// What a call shall fill with cpus: the mask that was given, if it is large enough (libnuma cuts off what does not fit), or a
// new one.
Result<Filled> room_for_cpus(std::optional<Target> given, size_t argument);

}  // namespace memprobe::numa

namespace memprobe::js {

// For what libnuma reads, its own type is enough: LIBNUMA(numa_bind, …).
template <>
struct In<bitmask*> {
  using Stored = numa::Nodes;
  static constexpr const char* ts = "NodeMask";
  static bool read(napi_env env, napi_value value, const Param& param, Stored& out);
  static std::string show(const Stored& value) { return value.show(); }
};
template <>
struct In<const numa::Cpus&> {
  using Stored = numa::Cpus;
  static constexpr const char* ts = "Iterable<number>";
  static bool read(napi_env env, napi_value value, const Param& param, Stored& out);
  static std::string show(const Stored& value) { return value.show(); }
};

template <class T>
struct InBitmask {
  using Stored = T;
  static constexpr const char* ts = "Bitmask";
  static bool read(napi_env env, napi_value value, const Param& param, T& out);
  static std::string show(const T&) { return "a Bitmask"; }
};
template <>
struct In<numa::Bits> : InBitmask<numa::Bits> {};
template <>
struct In<numa::Target> : InBitmask<numa::Target> {};
template <>
struct In<numa::Doomed> : InBitmask<numa::Doomed> {};

template <class T>
struct InNumber {
  using Stored = T;
  static constexpr const char* ts = "number";
  static bool read(napi_env env, napi_value value, const Param& param, T& out);
  static std::string show(const T& value) { return std::to_string(value.number); }
};
template <>
struct In<numa::Node> : InNumber<numa::Node> {};
template <>
struct In<numa::NodeOrNone> : InNumber<numa::NodeOrNone> {};
template <>
struct In<numa::Cpu> : InNumber<numa::Cpu> {};

template <>
struct Out<bitmask*> {
  static std::string ts() { return "Bitmask"; }
  static napi_value write(napi_env env, bitmask* from, Arguments) { return numa::wrap(env, from); }
};
template <>
struct Out<numa::Parsed> {
  static std::string ts() { return "Bitmask | null"; }
  static napi_value write(napi_env env, const numa::Parsed& from, Arguments);
};
template <>
struct Out<numa::Filled> {
  static std::string ts() { return "Bitmask"; }
  static napi_value write(napi_env env, const numa::Filled& from, Arguments arguments) {
    return from.made == nullptr ? arguments[from.argument] : numa::wrap(env, from.made);
  }
};

}  // namespace memprobe::js
