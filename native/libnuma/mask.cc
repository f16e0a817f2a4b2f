#include "mask.h"

#include <algorithm>
#include <cstdlib>

namespace memprobe {
namespace numa {

bool is_node(size_t number) { return numa_bitmask_isbitset(numa_nodes_ptr, static_cast<unsigned>(number)) != 0; }
bool is_cpu(size_t number) { return number < static_cast<size_t>(numa_num_configured_cpus()); }

namespace {

// The nodes of this machine as numactl writes them: 0-1,3.
std::string show_bits(const bitmask* mask) { return js::In<const js::NodeMask&>::show(words_of(mask)); }

std::string nodes_here(const char* before) { return before + show_bits(numa_nodes_ptr); }
std::string cpus_here() { return "cpus of this machine: 0-" + std::to_string(numa_num_configured_cpus() - 1); }

bool refuse(napi_env env, napi_value value, const js::Param& param, failure::Kind kind, const std::string& expected) {
  failure::raise_argument(env, kind, param.name(), expected.c_str(), value);
  return false;
}

bool refuse_freed(napi_env env, const char* why) {
  failure::raise(env, fail("ERR_MEMPROBE_NOT_OWNED", why), "Bitmask", "Bitmask");
  return false;
}

}  // namespace

// Behind the last bit a word may hold what was copied into it.
js::NodeMask words_of(const bitmask* mask) {
  constexpr size_t bits = js::NodeMask::kWordBits;
  js::NodeMask words{std::vector<unsigned long>(mask->maskp, mask->maskp + (mask->size + bits - 1) / bits)};
  if (mask->size % bits != 0) words.words.back() &= (1UL << mask->size % bits) - 1;
  return words;
}

Result<Filled> room_for_cpus(std::optional<Target> given, size_t argument) {
  const auto bits = static_cast<size_t>(numa_num_possible_cpus());
  if (given && given->mask->size < bits) {
    return {.failure = fail("ERR_OUT_OF_RANGE", "The value of \"mask\" is out of range. It must have at least " +
                                                    std::to_string(bits) + " bits, as numa_allocate_cpumask makes it. " +
                                                    "Received " + std::to_string(given->mask->size))};
  }
  Result<Filled> result{.value = {.made = given ? nullptr : allocate(bits), .argument = argument}};
  if (!given && result.value.made == nullptr) result.failure = fail(ENOMEM);
  return result;
}

bitmask* allocate(size_t bits) {
  void* enough = std::calloc(bits / 8 + sizeof(bitmask) + sizeof(unsigned long), 1);
  std::free(enough);
  return enough == nullptr ? nullptr : numa_bitmask_alloc(static_cast<unsigned>(bits));
}

bool Set::read(napi_env env, napi_value value, const js::Param& param, size_t bits, bool (*exists)(size_t),
               const char* expected) {
  if (const Wrapped* wrapped = unwrap(env, value)) {
    if (wrapped->mask == nullptr) return refuse_freed(env, "this Bitmask was freed");
    words_ = words_of(wrapped->mask);
    // As large as the kernel's at least: a libnuma later than 2.0.19 does not tell the kernel of a mask's last bit.
    mask_.size = std::max<size_t>(wrapped->mask->size, bits);
  } else {
    if (!js::In<const js::NodeMask&>::read(env, value, param, words_)) return false;
    for (size_t i = 0; i < words_.bits(); i++) {
      if (words_.has(i) && !exists(i)) return refuse(env, value, param, failure::Kind::Range, expected);
    }
    mask_.size = bits;
  }
  // libnuma may read as many bits as the kernel has, whatever the mask's size.
  words_.words.resize(std::max(words_.words.size(), bits / js::NodeMask::kWordBits + 1));
  mask_.maskp = words_.words.data();
  return true;
}

std::string Set::show() const { return show_bits(get()); }

}  // namespace numa

namespace js {

bool In<bitmask*>::read(napi_env env, napi_value value, const Param& param, Stored& out) {
  const auto bits = static_cast<size_t>(numa_num_possible_nodes());
  return out.read(env, value, param, bits, numa::is_node, numa::nodes_here("nodes of this machine: ").c_str());
}

bool In<const numa::Cpus&>::read(napi_env env, napi_value value, const Param& param, Stored& out) {
  const auto bits = static_cast<size_t>(numa_num_possible_cpus());
  return out.read(env, value, param, bits, numa::is_cpu, numa::cpus_here().c_str());
}

template <class T>
bool InBitmask<T>::read(napi_env env, napi_value value, const Param& param, T& out) {
  numa::Wrapped* wrapped = numa::unwrap(env, value);
  if (wrapped == nullptr) return numa::refuse(env, value, param, failure::Kind::Type, "an instance of Bitmask");
  if (wrapped->mask == nullptr) return numa::refuse_freed(env, "this Bitmask was freed");
  if constexpr (!std::is_same_v<T, numa::Bits>) {
    if (wrapped->constant) return numa::refuse_freed(env, "this Bitmask is libnuma's own, and constant");
  }
  if constexpr (std::is_same_v<T, numa::Doomed>) {
    out.wrapped = wrapped;
  } else {
    out.mask = wrapped->mask;
  }
  return true;
}
template struct InBitmask<numa::Bits>;
template struct InBitmask<numa::Target>;
template struct InBitmask<numa::Doomed>;

template <class T>
bool InNumber<T>::read(napi_env env, napi_value value, const Param& param, T& out) {
  constexpr bool cpu = std::is_same_v<T, numa::Cpu>;
  constexpr bool none = std::is_same_v<T, numa::NodeOrNone>;
  double number = 0;
  const bool integer = napi_get_value_double(env, value, &number) == napi_ok && number >= -1 && number <= 1e6 &&
                       number == static_cast<double>(static_cast<int>(number));
  out.number = integer ? static_cast<int>(number) : -2;
  if (none && out.number == -1) return true;
  const auto index = static_cast<size_t>(out.number);
  if (out.number >= 0 && (cpu ? numa::is_cpu(index) : numa::is_node(index))) return true;
  if (!is_type(env, value, napi_number)) {
    return numa::refuse(env, value, param, failure::Kind::Type, "of type number");
  }
  return numa::refuse(env, value, param, failure::Kind::Range,
                      cpu ? "one of the " + numa::cpus_here()
                          : numa::nodes_here(none ? "-1 or one of the nodes of this machine: "
                                                  : "one of the nodes of this machine: "));
}
template struct InNumber<numa::Node>;
template struct InNumber<numa::NodeOrNone>;
template struct InNumber<numa::Cpu>;

napi_value Out<numa::Parsed>::write(napi_env env, const numa::Parsed& from, Arguments) {
  napi_value null = nullptr;
  if (from.mask != nullptr) return numa::wrap(env, from.mask);
  return napi_get_null(env, &null) == napi_ok ? null : nullptr;
}

}  // namespace js
}  // namespace memprobe
