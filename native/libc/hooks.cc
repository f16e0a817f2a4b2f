// malloc_hook(3)
#include "hooks.h"

#include <dlfcn.h>
#include <malloc.h>

#include <mutex>

#include "../topics.h"
#include "hook_counts.h"
#include "malloc_debug.h"

// glibc's allocator itself, past the debugging library. Hooks that restore the old hook around a call of
// malloc, as malloc_hook(3) shows it, let other threads through uncounted meanwhile, and can lose the hook.
extern "C" {
void* __libc_malloc(size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);
void __libc_free(void*);
}

namespace memprobe {

namespace hooks {
namespace {

template <class F>
std::atomic<F>* variable(const char* name) {
  static_assert(sizeof(std::atomic<F>) == sizeof(F) && std::atomic<F>::is_always_lock_free);
  return static_cast<std::atomic<F>*>(malloc_debug::symbol(name));
}

struct Variables {
  std::atomic<Malloc>* malloc = variable<Malloc>("__malloc_hook");
  std::atomic<Realloc>* realloc = variable<Realloc>("__realloc_hook");
  std::atomic<Memalign>* memalign = variable<Memalign>("__memalign_hook");
  std::atomic<Free>* free = variable<Free>("__free_hook");

  bool there() const {
    return malloc != nullptr && realloc != nullptr && memalign != nullptr && free != nullptr;
  }
  Functions get() const { return {*malloc, *realloc, *memalign, *free}; }
  void set(const Functions& to) const {
    *malloc = to.malloc;
    *realloc = to.realloc;
    *memalign = to.memalign;
    *free = to.free;
  }
};

const Variables& variables() {
  static const Variables found;
  return found;
}

// --- the hooks themselves ----------------------------------------------------------------------------------

constinit Counters counters{};
constinit Ring ring{};
std::atomic<uint64_t> sample_every = 0;  // 0: none

enum CallKind : uint64_t { kMalloc, kRealloc, kMemalign };

void note(CallKind call, void* block, const void* caller) {
  if (block == nullptr) return;
  const size_t bytes = ::malloc_usable_size(block);
  const uint64_t tick = counters.allocated(bytes);
  const uint64_t every = sample_every.load(std::memory_order_relaxed);
  if (every == 0 || tick % every != 0) return;
  ring.push({call, bytes, reinterpret_cast<uint64_t>(caller), reinterpret_cast<uint64_t>(block)});
}

void* counting_malloc(size_t size, const void* caller) {
  void* block = __libc_malloc(size);
  note(kMalloc, block, caller);
  return block;
}

void* counting_realloc(void* old, size_t size, const void* caller) {
  const size_t bytes = old == nullptr ? 0 : ::malloc_usable_size(old);
  void* block = __libc_realloc(old, size);
  if (old != nullptr && (block != nullptr || size == 0)) counters.freed(bytes);
  note(kRealloc, block, caller);
  return block;
}

void* counting_memalign(size_t alignment, size_t size, const void* caller) {
  void* block = __libc_memalign(alignment, size);
  note(kMemalign, block, caller);
  return block;
}

void counting_free(void* block, const void*) {
  if (block == nullptr) return;
  counters.freed(::malloc_usable_size(block));
  __libc_free(block);
}

constexpr Functions counting{counting_malloc, counting_realloc, counting_memalign, counting_free};

// --- which of them are installed ---------------------------------------------------------------------------

// glibc's own allocator, and nothing else.
constexpr Functions plain{[](size_t size, const void*) { return __libc_malloc(size); },
                          [](void* old, size_t size, const void*) { return __libc_realloc(old, size); },
                          [](size_t alignment, size_t size, const void*) {
                            return __libc_memalign(alignment, size);
                          },
                          [](void* block, const void*) { __libc_free(block); }};

constinit std::mutex one_at_a_time;
std::atomic<bool> started = false;
std::atomic<bool> bypassing = false;

// False: the variables are not to be had, or hold others' functions. Calls that are under way meanwhile end
// in the functions where they began.
bool install() {
  static constexpr Functions none{};
  if (!variables().there()) return false;
  const Functions now = variables().get();
  if (now != none && now != plain && now != counting) return false;
  malloc_debug::stay_loaded();
  variables().set(started ? counting : bypassing ? plain : none);
  return true;
}

}  // namespace

bool running() { return started; }

void bypass(bool on) {
  const std::lock_guard lock(one_at_a_time);
  bypassing = on && !malloc_debug::checked();
  install();
}

}  // namespace hooks

// --- rows --------------------------------------------------------------------------------------------------

struct Reading {
  hooks::Counts counts;
  std::vector<hooks::Sample> samples;
  uint64_t lost;
};

template <>
struct js::Out<Reading> {
  static std::string ts() {
    return "{ allocated: BigUint64Array; allocatedBytes: BigUint64Array; freed: BigUint64Array; freedBytes: "
           "BigUint64Array; samples: BigUint64Array; lost: number }";
  }
  static napi_value write(napi_env env, const Reading& from, Arguments) {
    static_assert(sizeof(hooks::Sample) == 4 * sizeof(uint64_t));
    napi_value object = nullptr;
    if (napi_create_object(env, &object) != napi_ok) return nullptr;
    const auto set = [&](const char* name, napi_value value) {
      return value != nullptr && napi_set_named_property(env, object, name, value) == napi_ok;
    };
    const auto list = [&](const uint64_t* values, size_t count) {
      return typed_array(env, napi_biguint64_array, values, count);
    };
    const auto& [allocated, allocated_bytes, freed, freed_bytes] = from.counts;
    const auto* samples = reinterpret_cast<const uint64_t*>(from.samples.data());
    const bool ok = set("allocated", list(allocated.data(), allocated.size())) &&
                    set("allocatedBytes", list(allocated_bytes.data(), allocated_bytes.size())) &&
                    set("freed", list(freed.data(), freed.size())) &&
                    set("freedBytes", list(freed_bytes.data(), freed_bytes.size())) &&
                    set("samples", list(samples, 4 * from.samples.size())) &&
                    set("lost", number(env, static_cast<double>(from.lost)));
    return ok ? object : nullptr;
  }
};

namespace {

using Done = Result<bind::Void>;

Failure busy(const char* why) { return fail("ERR_MEMPROBE_BUSY", why); }

Failure obstacle() {
  if (Failure inactive = malloc_debug::inactive()) return inactive;
  if (hooks::running()) return busy("the hooks are started already, in this process; hooks.stop() ends that");
  if (malloc_debug::traced())
    return busy("mtrace is writing a log, and would miss what the hooks count; muntrace() first");
  if (malloc_debug::checked()) {
    return busy(
        "mcheck or MALLOC_CHECK_ is on, and marks blocks in ways that hooks can't keep up; start the program "
        "with 'memprobe run --malloc-debug' alone");
  }
  return {};
}

Done start(size_t sample) {
  const std::lock_guard lock(hooks::one_at_a_time);
  if (Failure failure = obstacle()) return {.failure = std::move(failure)};
  hooks::counters.clear();
  hooks::ring.clear();
  hooks::sample_every = sample;
  hooks::started = true;
  if (hooks::install()) return {};
  hooks::started = false;
  return {.failure = busy("__malloc_hook is taken by someone else in this process")};
}

void stop() {
  const std::lock_guard lock(hooks::one_at_a_time);
  if (hooks::started.exchange(false)) hooks::install();
}

Reading read() {
  const std::lock_guard lock(hooks::one_at_a_time);
  Reading reading{.counts = hooks::counters.sum(), .samples = {}, .lost = hooks::ring.take_lost()};
  hooks::Sample sample;
  // The vector's own growth is sampled too: what has come since stays for the next time.
  for (size_t left = hooks::Ring::kSlots; left > 0 && hooks::ring.pop(sample); left--)
    reading.samples.push_back(sample);
  return reading;
}

// As mtrace writes it: object:(symbol+0x1a)[0x1964].
std::string site(void* address) {
  Dl_info place{};
  const auto at = reinterpret_cast<uintptr_t>(address);
  if (dladdr(address, &place) == 0) return "[" + js::hex(at) + "]";
  std::string text = std::string(place.dli_fname) + ":";
  if (place.dli_sname != nullptr) {
    text += "(" + std::string(place.dli_sname) + "+" +
            js::hex(at - reinterpret_cast<uintptr_t>(place.dli_saddr)) + ")";
  }
  return text + "[" + js::hex(at - reinterpret_cast<uintptr_t>(place.dli_fbase)) + "]";
}

template <size_t N>
struct Name {
  char text[N];
  consteval Name(const char (&from)[N]) { std::copy_n(from, N, text); }
};

// What a hook variable holds: the address of a function, or null.
template <Name name>
Result<void*> hook() {
  auto* place = static_cast<std::atomic<void*>*>(malloc_debug::symbol(name.text));
  if (place != nullptr) return {.value = *place};
  return {.failure =
              fail("ERR_MEMPROBE_UNSUPPORTED", std::string("this C library has no variable ") + name.text)};
}

// Ours, apart from glibc's names.
constexpr bind::Entry counting_table[] = {
    SHAPE(hooks_start, Told, "sample", [](size_t sample) { return start(sample); }),
    SHAPE(hooks_read, Never, "", [] { return read(); }),
    SHAPE(hooks_stop, Never, "", [] { stop(); }),
    SHAPE(hooks_site, Never, "address", [](void* address) { return site(address); }),
};

constexpr bind::Entry table[] = {
    SHAPE(__malloc_hook, Told, "", [] { return hook<"__malloc_hook">(); }),
    SHAPE(__realloc_hook, Told, "", [] { return hook<"__realloc_hook">(); }),
    SHAPE(__memalign_hook, Told, "", [] { return hook<"__memalign_hook">(); }),
    SHAPE(__free_hook, Told, "", [] { return hook<"__free_hook">(); }),
    SHAPE(__malloc_initialize_hook, Told, "", [] { return hook<"__malloc_initialize_hook">(); }),
    SHAPE(__after_morecore_hook, Told, "", [] { return hook<"__after_morecore_hook">(); }),
};

}  // namespace

const bind::Topic topic::hooks{"hooks", "malloc.h", table};
const bind::Topic topic::hook_counts{"hook_counts", nullptr, counting_table};

}  // namespace memprobe
