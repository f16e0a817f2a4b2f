// mcheck(3), mprobe(3)
#include "../preload/mcheck.h"

#include <dlfcn.h>
#include <mcheck.h>

#include "../topics.h"
#include "malloc_debug.h"

namespace memprobe {

// The abort function of mcheck: glibc calls it inside malloc, where no JavaScript can run, so it is null.
struct NoFunction {};

template <>
struct js::In<NoFunction> {
  using Stored = NoFunction;
  static constexpr const char* ts = "null";
  static bool read(napi_env env, napi_value value, const Param& param, NoFunction&) {
    if (is_type(env, value, napi_null) || is_type(env, value, napi_undefined)) return true;
    failure::raise_argument(
        env, failure::Kind::Type, param.name(),
        "null: it is called inside malloc, where no JavaScript can run; memprobe's own reports the "
        "block, its status and the caller on standard error, and aborts",
        value);
    return false;
  }
  static std::string show(NoFunction) { return ""; }
};
template <>
inline constexpr bool js::is_optional<NoFunction> = true;

using BadBlocks = std::vector<memprobe_bad_block>;

template <>
struct js::Out<BadBlocks> {
  static std::string ts() { return "{ block: Address; size: number; status: number }[]"; }
  static napi_value write(napi_env env, const BadBlocks& from, Arguments arguments) {
    napi_value list = nullptr;
    if (napi_create_array(env, &list) != napi_ok) return nullptr;
    for (uint32_t i = 0; i < from.size(); i++) {
      napi_value item = one(env, from[i], arguments);
      if (item == nullptr || napi_set_element(env, list, i, item) != napi_ok) return nullptr;
    }
    return list;
  }

 private:
  static napi_value one(napi_env env, const memprobe_bad_block& from, Arguments arguments) {
    napi_value object = nullptr;
    if (napi_create_object(env, &object) != napi_ok) return nullptr;
    const auto set = [&](const char* name, napi_value value) {
      return napi_set_named_property(env, object, name, value) == napi_ok;
    };
    const bool ok = set("block", Out<void*>::write(env, from.block, arguments)) &&
                    set("size", Out<size_t>::write(env, from.size, arguments)) &&
                    set("status", Out<int>::write(env, from.status, arguments));
    return ok ? object : nullptr;
  }
};

namespace {

using Done = Result<bind::Void>;
using Start = int (*)(void (*)(mcheck_status));
using CheckAll = size_t (*)(memprobe_bad_block*, size_t);

constexpr const char* kTooLate =
    "mcheck is off, and can only be turned on before a process allocates anything, which Node has long done; "
    "start the "
    "program with 'memprobe run --malloc-debug --mcheck -- node app.js'";

Done begin(const char* name) {
  if (Failure inactive = malloc_debug::inactive()) return {.failure = std::move(inactive)};
  if (malloc_debug::mcheck_is_on())
    return {};  // glibc's would fail all the same, and take away its abort function
  if (reinterpret_cast<Start>(malloc_debug::symbol(name))(nullptr) == 0) return {};
  return {.failure = fail("ERR_MEMPROBE_TOO_LATE", kTooLate)};
}

Result<int> probe(void* block) {
  if (block == nullptr) return {.failure = fail(EINVAL)};  // in C: check all, and be slow from then on
  return {.value = malloc_debug::probe(block)};
}

// Room is made beforehand: nothing may allocate while the list is walked.
Result<BadBlocks> check_all() {
  constexpr size_t room = 1024;
  static const auto check = reinterpret_cast<CheckAll>(dlsym(RTLD_DEFAULT, "memprobe_mcheck_check_all"));
  if (Failure inactive = malloc_debug::inactive()) return {.failure = std::move(inactive)};
  if (check == nullptr) return {.failure = fail("ERR_MEMPROBE_UNSUPPORTED", kTooLate)};
  Result<BadBlocks> found{.value = BadBlocks(room)};
  const size_t count = check(found.value.data(), room);
  found.value.resize(count < room ? count : room);
  return found;
}

constexpr bind::Entry table[] = {
    SHAPE(mcheck, Told, "abortfunc", [](NoFunction) { return begin("mcheck"); }),
    SHAPE(mcheck_pedantic, Told, "abortfunc", [](NoFunction) { return begin("mcheck_pedantic"); }),
    SHAPE(mcheck_check_all, Told, "", [] { return check_all(); }).blocking(),
    SHAPE(mprobe, Told, "ptr", [](void* block) { return probe(block); }).guarded<guard::KnowsBlock>(),
};

constexpr bind::Constant constants[] = {
    CONST(MCHECK_DISABLED), CONST(MCHECK_OK), CONST(MCHECK_FREE), CONST(MCHECK_HEAD), CONST(MCHECK_TAIL),
};

}  // namespace

const bind::Topic topic::mcheck{"mcheck", "mcheck.h", table, constants};

}  // namespace memprobe
