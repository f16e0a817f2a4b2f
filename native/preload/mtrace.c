// For LD_PRELOAD, with libc_malloc_debug.so.0: traces the program from its start into the file
// MEMPROBE_MTRACE, and makes mtrace(3) bearable in large programs.
#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "trace_log.h"
#include "versions.h"

#define EXPORT __attribute__((visibility("default")))

// --- dladdr ------------------------------------------------------------------------------------------------
// mtrace names the caller of each line with dladdr, which walks all symbols of the object: a millisecond in
// node. It is called through here and remembers its answers, for objects that were there at the start: those
// are never unloaded.

enum { kPlaces = 1 << 14, kTries = 8, kObjects = 128 };
enum { kEmpty, kBeingWritten, kReady };

static struct Place {
  atomic_int state;
  const void* address;
  Dl_info info;
} places[kPlaces];

static const void* objects[kObjects];  // where they begin
static size_t object_count = 0;

static int (*find_place)(const void*, Dl_info*) = NULL;

// dladdr names the program by argv[0], which programs overwrite (process.title of Node): they keep their first name.
static const void* program_base = NULL;
static char program_name[4096];

static bool stays(const void* base) {
  for (size_t i = 0; i < object_count; i++) {
    if (objects[i] == base) return true;
  }
  return false;
}

static struct Place* slot_of(const void* address, size_t try) {
  return &places[((((uintptr_t)address * 0x9E3779B97F4A7C15u) >> 40) + try) % kPlaces];
}

static void remember(const void* address, const Dl_info* info) {
  for (size_t try = 0; try < kTries; try++) {
    struct Place* slot = slot_of(address, try);
    int state = kEmpty;
    if (!atomic_compare_exchange_strong(&slot->state, &state, kBeingWritten)) continue;
    slot->address = address;
    slot->info = *info;
    atomic_store_explicit(&slot->state, kReady, memory_order_release);
    return;
  }
}

EXPORT int dladdr(const void* address, Dl_info* info) {
  for (size_t try = 0; try < kTries; try++) {
    struct Place* slot = slot_of(address, try);
    const int state = atomic_load_explicit(&slot->state, memory_order_acquire);
    if (state == kEmpty) break;
    if (state == kReady && slot->address == address) return *info = slot->info, 1;
  }
  if (find_place == NULL) find_place = (int (*)(const void*, Dl_info*))dlsym(RTLD_NEXT, "dladdr");
  const int found = find_place(address, info);
  if (found != 0 && info->dli_fbase == program_base) info->dli_fname = program_name;
  if (found != 0 && stays(info->dli_fbase)) remember(address, info);
  return found;
}

static int note_object(struct dl_phdr_info* object, size_t size, void* data) {
  Dl_info info;
  const bool is_program = object_count == 0;  // the first one
  (void)size, (void)data;
  for (size_t i = 0; i < object->dlpi_phnum && object_count < kObjects; i++) {
    const ElfW(Phdr)* segment = &object->dlpi_phdr[i];
    if (segment->p_type != PT_LOAD) continue;
    if (dladdr((const void*)(object->dlpi_addr + segment->p_vaddr), &info) == 0) break;
    objects[object_count++] = info.dli_fbase;
    if (is_program && (size_t)snprintf(program_name, sizeof program_name, "%s", info.dli_fname) < sizeof program_name)
      program_base = info.dli_fbase;
    break;
  }
  return 0;
}

// --- the trace ---------------------------------------------------------------------------------------------

// Looked for by the addon: the descriptor of the log that is written from the start on.
EXPORT int memprobe_trace_from_start = -1;

// Only the process that was started writes the log, through every exec of its own (`env node`, a #! line);
// what it starts in turn would write over it.
static bool is_for_this_process(void) {
  static const char owner[] = "MEMPROBE_MTRACE_PID";
  char pid[24];
  const char* set = getenv(owner);
  snprintf(pid, sizeof pid, "%d", (int)getpid());
  return set != NULL ? strcmp(set, pid) == 0 : memprobe_set_variable(owner, pid) == 0;
}

__attribute__((constructor)) static void begin(void) {
  const char* path = getenv("MEMPROBE_MTRACE");
  dl_iterate_phdr(note_object, NULL);
  if (path == NULL || !is_for_this_process()) return;
  void (*mtrace)(void) = (void (*)(void))dlvsym(RTLD_DEFAULT, "mtrace", MEMPROBE_COMPAT);
  const int error = mtrace == NULL ? ENOSYS : memprobe_start_trace(mtrace, path, &memprobe_trace_from_start);
  if (error != 0)
    fprintf(stderr, "memprobe: %s is not written, mtrace could not start: %s\n", path, strerror(error));
}
