// A C prototype becomes a JavaScript function; a table row states only what the prototype can't say.
//
//   constexpr bind::Entry table[] = {
//     FN(mlock, MinusOne, "addr length").blocking(),
//     FN(munmap, MinusOne, "addr length").guarded<guard::Unmaps>().blocking(),
//     SHAPE(sbrk, MapFailed, "increment", [](long increment) { … }).guarded<guard::MovesBreak>(),
//   };
//
// One row yields three functions: guarded (memprobe/libc), unguarded (memprobe/unsafe), and where the call can block a
// guarded one that runs on the thread pool (memprobe/promises).
#pragma once

#include <node_api.h>

#include <new>
#include <span>
#include <string>
#include <string_view>

#include "../guard/needs.h"
#include "failure.h"
#include "job.h"
#include "js.h"

namespace memprobe::bind {

struct Entry {
  const char* name = nullptr;
  const char* params = "";
  const char* needs = nullptr;  // the release that brought it, where it can be missing: "Linux 6.10"
  napi_callback guarded = nullptr;
  napi_callback unguarded = nullptr;
  napi_callback promised = nullptr;
  std::string (*signature)(const char* params, bool promise) = nullptr;
  bool checked = false;  // the guard has a say
};

struct Constant {
  const char* name;
  double value;
};

// One man-page family.
struct Topic {
  const char* name;
  const char* header;  // where C declares it; nullptr: for this package's own use, not exported
  std::span<const Entry> calls;
  std::span<const Constant> constants = {};
};

// --- a call, step by step -----------------------------------------------------------------------------------------

template <class Prototype>
struct Signature;
template <class R, class... A>
struct Signature<R (*)(A...)> {
  using Result = R;
  using Stored = std::tuple<typename js::In<A>::Stored...>;
  static constexpr size_t arity = sizeof...(A);

  template <size_t... I>
  static bool read([[maybe_unused]] napi_env env, [[maybe_unused]] napi_callback_info info,
                   [[maybe_unused]] js::Arguments argv, [[maybe_unused]] Stored& stored, std::index_sequence<I...>) {
    return (js::In<A>::read(env, argv[I], {env, info, I}, std::get<I>(stored)) && ...);
  }
  template <size_t... I>
  static std::string show([[maybe_unused]] const Stored& stored, std::index_sequence<I...>) {
    std::string text;
    (append<A, I>(text, js::In<A>::show(std::get<I>(stored))), ...);
    return text;
  }
  // "0x7f00+4096" for an address and its length, commas elsewhere; nothing for what was left out.
  template <class Argument, size_t I>
  static void append(std::string& text, const std::string& shown) {
    if (shown.empty()) return;
    if constexpr (I == 1 && std::is_same_v<std::tuple_element_t<0, Stored>, void*> &&
                  std::is_same_v<Argument, size_t>) {
      text += "+" + shown;
    } else {
      text += (text.empty() ? "" : ", ") + shown;
    }
  }
  template <size_t... I>
  static std::string parameters([[maybe_unused]] const char* params, std::index_sequence<I...>) {
    std::string text;
    ((text += (text.empty() ? "" : ", ") + js::word(params, I) + (js::is_optional<A> ? "?: " : ": ") +
              js::In<A>::ts),
     ...);
    return text;
  }
};
template <class R, class... A>
struct Signature<R (*)(A...) noexcept> : Signature<R (*)(A...)> {};

// A C string is stored as a std::string; everything else is passed as it is stored.
inline const char* pass(const std::string& stored) { return stored.c_str(); }
template <class T>
const T& pass(const T& stored) {
  return stored;
}

struct Void {};
template <class T>
struct ResultOf {
  using type = T;
};
template <class T>
struct ResultOf<Result<T>> {
  using type = T;
};

template <auto F, class Policy, class Need>
struct Call {
  using Sig = Signature<decltype(F)>;
  using Stored = typename Sig::Stored;
  using Raw = std::conditional_t<std::is_void_v<typename Sig::Result>, Void, typename Sig::Result>;
  using Value = typename ResultOf<Raw>::type;
  static constexpr auto indexes = std::make_index_sequence<Sig::arity>{};
  static constexpr bool returns = Policy::returns && !std::is_same_v<Value, Void>;

  static bool read(napi_env env, napi_callback_info info, js::Arguments argv, Stored& stored) {
    return Sig::read(env, info, argv, stored, indexes);
  }

  static Raw run(const Stored& stored) {
    return std::apply(
        [](const auto&... argument) -> Raw {
          if constexpr (std::is_void_v<typename Sig::Result>) {
            F(pass(argument)...);
            return {};
          } else {
            return F(pass(argument)...);
          }
        },
        stored);
  }

  static bool enter(napi_env env, guard::Visit<Need, Raw>& need, const Stored& stored) {
    return std::apply([&](const auto&... argument) { return need.enter(env, pass(argument)...); }, stored);
  }

  // The call's own failure, or the guard's.
  static auto failed(const Raw& raw) { return Policy::failed(raw); }
  static int number(int failed) { return failed; }
  static int number(const Failure& failed) { return failed.number != 0 ? failed.number : failed ? -1 : 0; }

  static napi_value write(napi_env env, const Raw& raw, js::Arguments argv) {
    if constexpr (!returns) {
      return nullptr;  // undefined
    } else if constexpr (std::is_same_v<Raw, Value>) {
      return js::Out<std::remove_cv_t<Value>>::write(env, raw, argv);
    } else {
      return js::Out<Value>::write(env, raw.value, argv);
    }
  }

  static std::string show(const Stored& stored) { return Sig::show(stored, indexes); }

  static std::string signature(const char* params, bool promise) {
    std::string result = "void";
    if constexpr (returns) result = js::Out<std::remove_cv_t<Value>>::ts();
    if (promise) result = "Promise<" + result + ">";
    return "(" + Sig::parameters(params, indexes) + "): " + result;
  }
};

// ENOSYS of a call that a release brought says which.
Failure explain(const Entry& row, Failure failure);
inline Failure as_failure(int number) { return fail(number); }
inline const Failure& as_failure(const Failure& failure) { return failure; }

// The row that a callback was made of: for errors only, the usual way does without.
MEMPROBE_SHARED const Entry* row_of(napi_env env, napi_callback_info info);
MEMPROBE_SHARED napi_value create_for(napi_env env, const Entry& row, const Failure& failure,
                                      const std::string& arguments);
MEMPROBE_SHARED void raise_for(napi_env env, napi_callback_info info, const Failure& failure,
                               const std::string& arguments);

template <auto F, class Policy, class Need>
napi_value invoke(napi_env env, napi_callback_info info) noexcept {
  using C = Call<F, Policy, Need>;
  napi_value argv[C::Sig::arity + 1];
  size_t argc = C::Sig::arity;
  if (napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr) != napi_ok) return nullptr;
  try {
    typename C::Stored stored{};
    guard::Visit<Need, typename C::Raw> need;
    if (!C::read(env, info, argv, stored)) return nullptr;
    if (!C::enter(env, need, stored)) [[unlikely]] {
      if (const Failure refusal = need.refusal()) raise_for(env, info, refusal, C::show(stored));
      return nullptr;
    }
    const auto raw = C::run(stored);
    const auto& failed = C::failed(raw);
    const int number = C::number(failed);
    const int overruled = need.leave(raw, number);
    if (number == 0 && overruled == 0) [[likely]] return C::write(env, raw, argv);
    raise_for(env, info, number != 0 ? as_failure(failed) : fail(overruled), C::show(stored));
  } catch (const std::bad_alloc&) {
    raise_for(env, info, fail(ENOMEM), "");
  }
  return nullptr;
}

// The same on the thread pool. Arguments that point into JavaScript's memory are copied; what the call works on stays
// pinned until it has run.
template <auto F, class Policy, class Need>
class Promised final : public Job {
  using C = Call<F, Policy, Need>;

 public:
  Promised(napi_env env, const Entry& row, js::Arguments argv) : Job(env, argv, C::Sig::arity), row_(row) {}

  bool prepare(napi_callback_info info, js::Arguments argv) {
    if (!C::read(env(), info, argv, stored_)) return false;
    std::apply([](auto&... argument) { (own(argument), ...); }, stored_);
    if (!C::enter(env(), need_, stored_)) {
      raise_for(env(), info, need_.refusal(), C::show(stored_));
      return false;
    }
    pin();
    return true;
  }

 private:
  void execute() override {
    try {
      raw_ = C::run(stored_);
      const auto& failed = C::failed(raw_);
      const int number = C::number(failed);
      const int overruled = need_.leave(raw_, number);
      if (number != 0) failure_ = as_failure(failed);
      else if (overruled != 0) failure_ = fail(overruled);
    } catch (const std::bad_alloc&) {
      failure_ = fail(ENOMEM);
    }
    pin_.release();
  }

  void settle(js::Arguments argv) override {
    if (failure_) return reject(create_for(env(), row_, failure_, C::show(stored_)));
    resolve(C::write(env(), raw_, argv));
  }

  static void own(js::Bytes& bytes) { bytes.own(); }
  template <class T>
  static void own(T&) {}

  void pin() {
    if constexpr (C::Sig::arity >= 2) {
      using First = std::tuple_element_t<0, typename C::Stored>;
      using Second = std::tuple_element_t<1, typename C::Stored>;
      if constexpr (std::is_same_v<First, void*> && std::is_same_v<Second, size_t>) {
        pin_.hold(reinterpret_cast<uintptr_t>(std::get<0>(stored_)), std::get<1>(stored_));
      }
    }
  }

  const Entry& row_;
  typename C::Stored stored_{};
  guard::Visit<Need, typename C::Raw> need_;  // a job that is never run leaves too
  guard::Pin pin_;
  typename C::Raw raw_{};
  Failure failure_;
};

// Bad arguments and refusals reject the promise too: who awaits needs one way of handling errors.
template <auto F, class Policy, class Need>
napi_value promise(napi_env env, napi_callback_info info) noexcept {
  using C = Call<F, Policy, Need>;
  napi_value argv[C::Sig::arity + 1];
  size_t argc = C::Sig::arity;
  const Entry* row = row_of(env, info);
  if (row == nullptr || napi_get_cb_info(env, info, &argc, argv, nullptr, nullptr) != napi_ok) return nullptr;
  try {
    auto job = std::make_unique<Promised<F, Policy, Need>>(env, *row, argv);
    const bool ready = job->prepare(info, argv);
    return Job::start(std::move(job), ready);
  } catch (const std::bad_alloc&) {
    raise_for(env, info, fail(ENOMEM), "");
    return nullptr;
  }
}

// --- rows ---------------------------------------------------------------------------------------------------------

consteval bool names_every_parameter(const char* params, size_t arity) {
  const std::string_view text(params);
  size_t words = text.empty() ? 0 : 1;
  for (const char c : text) words += c == ' ';
  return words == arity;
}

template <auto F, class Policy, class Need = guard::Nothing>
struct Row {
  const char* name;
  const char* params;
  const char* needs = nullptr;
  bool blocks = false;

  constexpr Row blocking() const { return {name, params, needs, true}; }
  // What a kernel or C library must be for the call to be there.
  constexpr Row since(const char* release) const { return {name, params, release, blocks}; }
  template <class N>
  constexpr Row<F, Policy, N> guarded() const {
    return {name, params, needs, blocks};
  }
  constexpr operator Entry() const {
    return {.name = name,
            .params = params,
            .needs = needs,
            .guarded = invoke<F, Policy, Need>,
            .unguarded = invoke<F, Policy, guard::Nothing>,
            .promised = blocks ? promise<F, Policy, Need> : nullptr,
            .signature = Call<F, Policy, Need>::signature,
            .checked = !std::is_same_v<Need, guard::Nothing>};
  }
};

template <auto F, class Policy>
consteval Row<F, Policy> row(const char* name, const char* params) {
  if (!names_every_parameter(params, Signature<decltype(F)>::arity)) throw "each parameter wants a name";
  return {name, params};
}

// A row whose callbacks are written by hand: what calls back into JavaScript or hands out memory.
template <auto Signed>
constexpr Entry raw(const char* name, const char* params, napi_callback guarded, napi_callback unguarded) {
  return {.name = name,
          .params = params,
          .guarded = guarded,
          .unguarded = unguarded,
          .signature = [](const char*, bool) -> std::string { return Signed(); },
          .checked = guarded != unguarded};
}

// The C function as it is.
#define FN(name, policy, params) ::memprobe::bind::row<&::name, ::memprobe::policy>(#name, params)
// A function whose JavaScript shape differs: the lambda has that shape.
#define SHAPE(name, policy, params, ...) ::memprobe::bind::row<+__VA_ARGS__, ::memprobe::policy>(#name, params)
#define CONST(name) ::memprobe::bind::Constant{#name, static_cast<double>(name)}

}  // namespace memprobe::bind
