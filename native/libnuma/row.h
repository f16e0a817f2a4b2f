// Rows of libnuma's functions: as in bind.h, and what libnuma complains of meanwhile is heard.
//   LIBNUMA(numa_max_node, Never, "")                    the C function as it is
//   LIBNUMA_SHAPE(numa_node_size, Never, "node", [](Node node) { … })
#pragma once

#include <dlfcn.h>
#include <numa.h>

#include <string>

#include "../bind/bind.h"
#include "complaints.h"
#include "mask.h"
#include "needs.h"

namespace memprobe::numa {

struct Done {  // a function that returns nothing: libnuma's complaint alone tells that it failed
  static constexpr bool returns = false;
  template <class T>
  static int failed(const T&) {
    return unheard_error();
  }
};

template <class T>
void discard(const T&) {}
inline void discard(bitmask* result) { numa_bitmask_free(result); }
inline void discard(const Filled& result) { numa_bitmask_free(result.made); }
inline void discard(const Parsed& result) { numa_bitmask_free(result.mask); }

inline Failure as_failure(int number) { return number == 0 ? Failure{} : explain(number); }
inline const Failure& as_failure(const Failure& failure) { return failure; }

// A call with the ears open: Told, whatever the C function's own policy is.
template <auto F, class Policy, class Prototype = decltype(F)>
struct Heard;
template <auto F, class Policy, class R, class... A>
struct Heard<F, Policy, R (*)(A...)> {
  using Raw = std::conditional_t<std::is_void_v<R>, bind::Void, R>;
  using Value = std::conditional_t<Policy::returns, typename bind::ResultOf<Raw>::type, bind::Void>;

  static Raw run(A... arguments) {
    complaints().clear();
    errno = 0;
    if constexpr (std::is_void_v<R>) {
      F(arguments...);
      return {};
    } else {
      return F(arguments...);
    }
  }

  static Result<Value> call(A... arguments) {
    const Raw raw = run(arguments...);
    // What libnuma says is more than its -1.
    Failure failure = complaints().failure();
    if (!failure) failure = as_failure(Policy::failed(raw));
    if constexpr (std::is_same_v<Raw, Result<Value>>) {
      if (failure) discard(raw.value);
      return {failure ? Value{} : raw.value, std::move(failure)};
    } else if constexpr (std::is_same_v<Raw, Value>) {
      if (failure) discard(raw);
      return {failure ? Value{} : raw, std::move(failure)};
    } else {
      return {{}, std::move(failure)};
    }
  }
};

template <napi_callback Call>
napi_value attended(napi_env env, napi_callback_info info) noexcept {
  napi_value result = Call(env, info);
  if (complaints().warned()) emit_warning(env);
  return result;
}

template <auto F, class Policy, class Need = guard::Nothing>
struct Row {
  const char* name;
  const char* params;
  const char* needs = nullptr;

  // The libnuma that brought it.
  constexpr Row since(const char* release) const { return {name, params, release}; }
  template <class N>
  constexpr Row<F, Policy, N> guarded() const {
    return {name, params, needs};
  }
  constexpr operator bind::Entry() const {
    constexpr auto call = &Heard<F, Policy>::call;
    return {.name = name,
            .params = params,
            .needs = needs,
            .guarded = attended<bind::invoke<call, Told, Need>>,
            .unguarded = attended<bind::invoke<call, Told, guard::Nothing>>,
            .signature = bind::Call<call, Told, Need>::signature,
            .checked = !std::is_same_v<Need, guard::Nothing>};
  }
};

template <auto F, class Policy>
consteval Row<F, Policy> row(const char* name, const char* params) {
  if (!bind::names_every_parameter(params, bind::Signature<decltype(F)>::arity)) throw "each parameter wants a name";
  return {name, params};
}

#define LIBNUMA(name, policy, params) ::memprobe::numa::row<&::name, policy>(#name, params)
#define LIBNUMA_SHAPE(name, policy, params, ...) ::memprobe::numa::row<+__VA_ARGS__, policy>(#name, params)

// A function that an older libnuma lacks.
template <class Prototype>
Result<Prototype*> find(const char* name, const char* release) {
  void* libnuma = dlopen("libnuma.so.1", RTLD_LAZY | RTLD_NOLOAD);
  auto* found = libnuma == nullptr ? nullptr : reinterpret_cast<Prototype*>(dlsym(libnuma, name));
  if (libnuma != nullptr) dlclose(libnuma);  // it stays: this addon is linked with it
  if (found != nullptr) return {.value = found};
  return {.failure = fail("ERR_MEMPROBE_UNSUPPORTED",
                          std::string(name) + " needs " + release + "; the libnuma.so.1 here is older")};
}

inline constexpr const char* kMany = "libnuma 2.0.15";
inline constexpr const char* kHome = "libnuma 2.0.18";
inline constexpr const char* kWeighted = "libnuma 2.0.19";
inline constexpr const char* kLatest = "a libnuma later than 2.0.19";

template <class R, class... A>
Result<std::conditional_t<std::is_void_v<R>, bind::Void, R>> newer(const char* name, const char* release,
                                                                    A... arguments) {
  const auto found = find<R(A...)>(name, release);
  if (found.failure) return {.failure = found.failure};
  if constexpr (std::is_void_v<R>) {
    found.value(arguments...);
    return {.failure = as_failure(unheard_error())};
  } else {
    return {.value = found.value(arguments...)};
  }
}

}  // namespace memprobe::numa
