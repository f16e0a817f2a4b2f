// An object of the addon's in JavaScript's hands: an external that shares it, and that no other can be taken
// for. T says what `kind` it is (a type tag of its own) and which function it comes `from`.
#pragma once

#include <memory>
#include <string>

#include "js.h"

namespace memprobe::js {

template <class T>
struct In<const std::shared_ptr<T>&> {
  using Stored = std::shared_ptr<T>;
  static constexpr const char* ts = "object";
  static bool read(napi_env env, napi_value value, const Param& param, Stored& out) {
    void* data = nullptr;
    bool ours = false;
    if (is_type(env, value, napi_external) &&
        napi_check_object_type_tag(env, value, &T::kind, &ours) == napi_ok && ours &&
        napi_get_value_external(env, value, &data) == napi_ok) {
      out = *static_cast<Stored*>(data);
      return true;
    }
    failure::raise_argument(env, failure::Kind::Type, param.name(), T::from, value);
    return false;
  }
  static std::string show(const Stored&) { return "object"; }
};

template <class T>
struct Out<std::shared_ptr<T>> {
  using Handle = std::shared_ptr<T>;
  static std::string ts() { return "object"; }
  static napi_value write(napi_env env, const Handle& from, Arguments) {
    const auto drop = [](napi_env, void* data, void*) {
      std::unique_ptr<Handle>(static_cast<Handle*>(data));
    };
    auto kept = std::make_unique<Handle>(from);
    napi_value out = nullptr;
    if (napi_create_external(env, kept.get(), drop, nullptr, &out) != napi_ok) return nullptr;
    static_cast<void>(kept.release());
    return napi_type_tag_object(env, out, &T::kind) == napi_ok ? out : nullptr;
  }
};

}  // namespace memprobe::js
