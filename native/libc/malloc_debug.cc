#include "malloc_debug.h"

#include <dlfcn.h>
#include <gnu/libc-version.h>
#include <malloc.h>
#include <mcheck.h>
#include <sys/auxv.h>

#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "../preload/versions.h"
#include "../topics.h"
#include "hooks.h"

namespace memprobe {

namespace malloc_debug {
namespace {

std::string_view file_of(const char* path) {
  const std::string_view text(path == nullptr ? "" : path);
  return text.substr(text.rfind('/') + 1);
}

Dl_info place_of(void* address) {
  Dl_info place{};
  if (address == nullptr || dladdr(address, &place) == 0) return {};
  return place;
}

// The object that serves malloc. A program that is linked to fixed addresses, as node is, has addresses of
// its own for the functions that it uses: so one that it does not use is asked for.
std::string allocator() {
  const Dl_info program = place_of(reinterpret_cast<void*>(getauxval(AT_ENTRY)));
  for (const char* name : {"pvalloc", "valloc", "memalign", "realloc", "free", "malloc"}) {
    const Dl_info place = place_of(symbol(name));
    if (place.dli_fname != nullptr && place.dli_fbase != program.dli_fbase) return place.dli_fname;
  }
  return program.dli_fname != nullptr ? program.dli_fname : "";
}

bool is_built_in() {
  int major = 0;
  int minor = 0;
  return std::sscanf(gnu_get_libc_version(), "%d.%d", &major, &minor) == 2 && major == 2 && minor < 34;
}

}  // namespace

void* symbol(const char* name) { return dlvsym(RTLD_DEFAULT, name, MEMPROBE_COMPAT); }

Failure inactive() {
  static const std::string object = allocator();
  const std::string_view file = file_of(object.c_str());
  if (is_built_in() || file.starts_with("libc_malloc_debug.so") || file == "memprobe_mcheck.so") return {};
  const std::string why = file.starts_with("libc.so") || file.empty()
                              ? "libc_malloc_debug.so.0 is not preloaded"
                              : "malloc is served by " + object + ", not by libc_malloc_debug.so.0";
  return fail("ERR_MEMPROBE_UNSUPPORTED",
              "glibc's malloc debugging does not act in this process, because " + why +
                  "; start the program with 'memprobe run --malloc-debug -- node app.js'");
}

int probe(void* block) {
  using Probe = int (*)(void*);
  static const auto ours = reinterpret_cast<Probe>(dlsym(RTLD_DEFAULT, "memprobe_mprobe"));
  static const auto theirs = reinterpret_cast<Probe>(symbol("mprobe"));
  if (ours != nullptr) return ours(block);
  return theirs != nullptr ? theirs(block) : MCHECK_DISABLED;
}

bool mcheck_is_on() {
  void* block = std::malloc(1);
  const bool on = block != nullptr && probe(block) != MCHECK_DISABLED;
  std::free(block);
  return on;
}

// Both know the size that was asked for; plain malloc knows only its own.
bool checked() {
  constexpr size_t asked = 20;
  void* block = std::malloc(asked);
  const bool exact = block != nullptr && malloc_usable_size(block) == asked;
  std::free(block);
  return exact;
}

void stay_loaded() {
  const Dl_info self = place_of(reinterpret_cast<void*>(stay_loaded));
  if (self.dli_fname != nullptr) dlopen(self.dli_fname, RTLD_LAZY | RTLD_NOLOAD | RTLD_NODELETE);
}

}  // namespace malloc_debug

struct MallocDebug {
  std::string reason = {};  // why it does not act
  bool mcheck = false;
  bool mtrace = false;
  bool hooks = false;
};

template <>
struct js::Out<MallocDebug> {
  static std::string ts() { return "{ reason: string; mcheck: boolean; mtrace: boolean; hooks: boolean }"; }
  static napi_value write(napi_env env, const MallocDebug& from, Arguments arguments) {
    napi_value object = nullptr;
    if (napi_create_object(env, &object) != napi_ok) return nullptr;
    const auto set = [&](const char* name, napi_value value) {
      return napi_set_named_property(env, object, name, value) == napi_ok;
    };
    const bool ok = set("reason", Out<std::string>::write(env, from.reason, arguments)) &&
                    set("mcheck", Out<bool>::write(env, from.mcheck, arguments)) &&
                    set("mtrace", Out<bool>::write(env, from.mtrace, arguments)) &&
                    set("hooks", Out<bool>::write(env, from.hooks, arguments));
    return ok ? object : nullptr;
  }
};

namespace {

MallocDebug state() {
  return {.reason = malloc_debug::inactive().message,
          .mcheck = malloc_debug::mcheck_is_on(),
          .mtrace = malloc_debug::traced(),
          .hooks = hooks::running()};
}

constexpr bind::Entry table[] = {
    SHAPE(malloc_debug_state, Never, "", [] { return state(); }),
};

}  // namespace

const bind::Topic topic::malloc_debug{"malloc_debug", nullptr, table};

}  // namespace memprobe
