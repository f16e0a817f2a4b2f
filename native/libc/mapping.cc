// What lib/mapping/ is made of: memory that several threads may hold.
#include "../guard/shares.h"
#include "../topics.h"
#include "view.h"

namespace memprobe {
namespace shares = guard::shares;
using shares::Held;

// A hold is an object of JavaScript's that nobody can forge: an external whose memory the collector, or the end of its
// thread, lets go.
template <>
struct js::In<const Held&> {
  using Stored = Held;
  static constexpr const char* ts = "unknown";
  static bool read(napi_env env, napi_value value, const Param& param, Held& out) {
    void* data = nullptr;
    bool ours = false;
    if (is_type(env, value, napi_external) && napi_check_object_type_tag(env, value, &tag, &ours) == napi_ok && ours &&
        napi_get_value_external(env, value, &data) == napi_ok) {
      out = *static_cast<Held*>(data);
      return true;
    }
    failure::raise_argument(env, failure::Kind::Type, param.name(), "a hold of a mapping", value);
    return false;
  }
  static std::string show(const Held&) { return "mapping"; }
  static constexpr napi_type_tag tag{0x6d656d70726f6265, 0x6d617070696e6701};
};

template <>
struct js::Out<Held> {
  static std::string ts() { return "unknown"; }
  static napi_value write(napi_env env, const Held& from, Arguments) {
    const auto gone = [](napi_env finalizing, void* data, void*) {
      const std::unique_ptr<Held> held(static_cast<Held*>(data));
      shares::let_go(finalizing, *held);
    };
    napi_value value = nullptr;
    std::unique_ptr<Held> data(new (std::nothrow) Held(from));
    if (data == nullptr || napi_create_external(env, data.get(), gone, nullptr, &value) != napi_ok) {
      shares::let_go(env, from);
      return nullptr;
    }
    data.release();  // the finalizer has it now
    return napi_type_tag_object(env, value, &In<const Held&>::tag) == napi_ok ? value : nullptr;
  }
};

template <>
struct js::Out<shares::Share> {
  static std::string ts() { return "{ address: Address; length: number; fd: number; about: string }"; }
  static napi_value write(napi_env env, const shares::Share& from, Arguments arguments) {
    napi_value object = nullptr;
    const auto set = [&](const char* name, napi_value value) {
      return value != nullptr && napi_set_named_property(env, object, name, value) == napi_ok;
    };
    const bool ok = napi_create_object(env, &object) == napi_ok &&
                    set("address", Out<void*>::write(env, reinterpret_cast<void*>(from.start), arguments)) &&
                    set("length", Out<size_t>::write(env, from.length, arguments)) &&
                    set("fd", Out<int>::write(env, from.fd, arguments)) &&
                    set("about", Out<std::string>::write(env, from.about, arguments));
    return ok ? object : nullptr;
  }
};

struct Window {
  void* addr = nullptr;
  size_t length = 0;
};
template <>
struct js::Out<Window> {
  static std::string ts() { return "ArrayBuffer"; }
  static napi_value write(napi_env env, const Window& from, Arguments) {
    return view_of(env, from.addr, from.length, false);
  }
};

namespace {

Result<Window> window(const Held& held, size_t offset, size_t length) {
  const Result<shares::Share> share = shares::state(held);
  if (share.failure) return {.failure = share.failure};
  if (share.value.moving) return {.failure = guard::busy("this mapping is being resized; wait for its promise")};
  if (offset > share.value.length || length > share.value.length - offset) {
    return {.failure = fail("ERR_OUT_OF_RANGE", "offset and length reach beyond the mapping")};
  }
  return {.value = {reinterpret_cast<void*>(share.value.start + offset), length}};
}

Result<void*> resized(const Held& held, size_t length) {
  const Result<shares::Share> share = shares::state(held);
  if (share.failure) return {.failure = share.failure};
  const uintptr_t start = share.value.start;
  void* now = ::mremap(reinterpret_cast<void*>(start), share.value.end() - start, length, MREMAP_MAYMOVE);
  if (now == MAP_FAILED) return {.failure = fail(errno)};
  return {.value = now};
}

constexpr bind::Entry table[] = {
    SHAPE(mapping_create, Told, "addr length fd about",
          [](void* addr, size_t length, int fd, const char* about) { return shares::create(addr, length, fd, about); }),
    SHAPE(mapping_attach, Told, "id", [](const char* id) { return shares::attach(id); }),
    SHAPE(mapping_id, Never, "held", [](const Held& held) { return held->id; }),
    SHAPE(mapping_state, Told, "held", [](const Held& held) { return shares::state(held); }),
    SHAPE(mapping_faulted, Never, "held", [](const Held& held) { return shares::faulted(held); }),
    SHAPE(mapping_view, Told, "held offset length", [](const Held& held, size_t offset, size_t length) {
            return window(held, offset, length);
          }),
    SHAPE(mapping_resize, Told, "held length", [](const Held& held, size_t length) { return resized(held, length); })
        .guarded<shares::Resizes>()
        .blocking(),
    SHAPE(mapping_close, Never, "held", [](const Held&) {}).guarded<shares::LetsGo>(),
};

}  // namespace

const bind::Topic topic::mapping{"mapping", nullptr, table};

}  // namespace memprobe
