// For LD_PRELOAD, before libc_malloc_debug.so.0: turns mcheck(3) on before anything allocates, which is when
// glibc still lets it. -z initfirst makes its constructor the first of all.
//
// glibc's mcheck keeps its blocks in a list without a lock: in a program with threads it finds damage that it
// has done itself. So every function of the allocator passes through here, one at a time.
#include "mcheck.h"

#include <dlfcn.h>
#include <errno.h>
#include <mcheck.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "versions.h"

#define EXPORT __attribute__((visibility("default")))
#define CALLER __builtin_return_address(0)

typedef void (*AbortFunction)(enum mcheck_status);

// What glibc puts before each block (malloc/mcheck-impl.c), unchanged for decades.
struct Header {
  size_t size;
  unsigned long magic;
  struct Header* prev;  // towards the newest block
  struct Header* next;
  void* block;  // what glibc's malloc returned
  unsigned long magic2;
} __attribute__((aligned(16)));

static const unsigned long kFreed = 0xd8675309;  // magic2 of a freed block

static struct {
  void* (*malloc)(size_t);
  void* (*calloc)(size_t, size_t);
  void* (*realloc)(void*, size_t);
  void* (*memalign)(size_t, size_t);
  int (*posix_memalign)(void**, size_t, size_t);
  void (*free)(void*);
  size_t (*malloc_usable_size)(void*);
  enum mcheck_status (*mprobe)(void*);
} real;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool on = false;
// The two ends of glibc's list of blocks. The oldest is ours, and never freed.
static struct Header* oldest = NULL;
static struct Header* newest = NULL;
static AbortFunction abort_function = NULL;  // the program's own

// The call in progress; under the lock.
static struct {
  const char* name;
  void* block;
  void* caller;
  bool asked;  // by someone who wants an answer, not an end
  enum mcheck_status status;
} now;

static void* find(const char* name) { return dlvsym(RTLD_NEXT, name, MEMPROBE_COMPAT); }

static void resolve(void) {
  real.calloc = (void* (*)(size_t, size_t))find("calloc");
  real.realloc = (void* (*)(void*, size_t))find("realloc");
  real.memalign = (void* (*)(size_t, size_t))find("memalign");
  real.posix_memalign = (int (*)(void**, size_t, size_t))find("posix_memalign");
  real.free = (void (*)(void*))find("free");
  real.malloc_usable_size = (size_t (*)(void*))find("malloc_usable_size");
  real.mprobe = (enum mcheck_status (*)(void*))find("mprobe");
  real.malloc = (void* (*)(size_t))find("malloc");
}

static struct Header* header_of(void* block) { return (struct Header*)block - 1; }

// --- what was found ----------------------------------------------------------------------------------------

// glibc's free writes over the magic number that tells a freed block; the other one is still there.
static enum mcheck_status refine(enum mcheck_status status, void* block) {
  if (status != MCHECK_HEAD || block == NULL) return status;
  const struct Header* header = header_of(block);
  const bool freed = header->magic2 == kFreed && header->prev == NULL && header->next == NULL;
  return freed ? MCHECK_FREE : status;
}

static const char* describe(enum mcheck_status status) {
  switch (status) {
    case MCHECK_HEAD:
      return "MCHECK_HEAD: memory clobbered before allocated block";
    case MCHECK_TAIL:
      return "MCHECK_TAIL: memory clobbered past end of allocated block";
    case MCHECK_FREE:
      return "MCHECK_FREE: block freed twice";
    default:
      return "memory is inconsistent";
  }
}

// Neither malloc nor stdio's buffers: both may be what is broken.
static void report(enum mcheck_status status, const char* name, void* block, const void* caller) {
  char text[512];
  char size[40] = "";
  Dl_info place;
  const bool placed = dladdr(caller, &place) != 0 && place.dli_fname != NULL;
  if (block != NULL && status == MCHECK_TAIL)
    snprintf(size, sizeof size, " of %zu bytes", header_of(block)->size);
  int length = snprintf(text, sizeof text, "memprobe: mcheck: %s: block %p%s, found in %s called from ",
                        describe(status), block, size, name);
  if (length > 0 && (size_t)length < sizeof text) {
    const char* object = placed ? place.dli_fname : "";
    const uintptr_t offset = (uintptr_t)caller - (placed ? (uintptr_t)place.dli_fbase : 0);
    const int more =
        snprintf(text + length, sizeof text - (size_t)length, "%s[0x%zx]\n", object, (size_t)offset);
    length = more < 0 || (size_t)(length + more) >= sizeof text ? (int)sizeof text - 1 : length + more;
  }
  if (write(STDERR_FILENO, text, (size_t)length) == -1) return;
}

// mcheck calls this inside malloc, realloc or free. The lock is given back first: a handler of SIGABRT may
// allocate.
static void inconsistent(enum mcheck_status status) {
  now.status = refine(status, now.block);
  if (now.asked) return;
  const char* name = now.name;
  void* block = now.block;
  void* caller = now.caller;
  AbortFunction function = abort_function;
  status = now.status;
  report(status, name, block, caller);
  if (function != NULL) {
    function(status);  // what it returns to is glibc's affair
    return;
  }
  pthread_mutex_unlock(&lock);
  abort();
}

// --- one at a time -----------------------------------------------------------------------------------------

static void enter(const char* name, void* block, void* caller) {
  if (real.malloc == NULL) resolve();
  if (!on) return;
  pthread_mutex_lock(&lock);
  now.name = name;
  now.block = block;
  now.caller = caller;
}

static void leave(void) {
  if (on) pthread_mutex_unlock(&lock);
}

static void* came(void* block) {
  if (on && block != NULL) newest = header_of(block);
  return block;
}

// Nothing where its header is broken: then mcheck is about to end the program.
static void goes(void* block) {
  if (on && block != NULL && newest == header_of(block)) newest = newest->next;
}

EXPORT void* malloc(size_t size) {
  enter("malloc", NULL, CALLER);
  void* block = came(real.malloc(size));
  leave();
  return block;
}

EXPORT void* calloc(size_t count, size_t size) {
  enter("calloc", NULL, CALLER);
  void* block = came(real.calloc(count, size));
  leave();
  return block;
}

EXPORT void free(void* block) {
  const int saved = errno;
  enter("free", block, CALLER);
  goes(block);
  real.free(block);
  leave();
  errno = saved;
}

static enum mcheck_status ask(void* block) {
  now.asked = true;
  now.block = block;
  now.status = MCHECK_OK;
  real.mprobe(block);
  now.asked = false;
  return now.status;
}

static void* move(void* block, size_t size) {
  const size_t old = header_of(block)->size;
  void* moved = came(real.malloc(size));
  if (moved == NULL) return NULL;
  memcpy(moved, block, old < size ? old : size);
  goes(block);
  real.free(block);
  return moved;
}

// mcheck's realloc takes an aligned block for a plain one, and glibc's then aborts; where there is no memory it leaves
// the block out of its list, with the way to neighbours that go before it does. It is for broken blocks alone.
static void* resize(void* block, size_t size) {
  if (on && block != NULL && size != 0 && ask(block) == MCHECK_OK) return move(block, size);
  goes(block);
  return came(real.realloc(block, size));
}

EXPORT void* realloc(void* block, size_t size) {
  enter("realloc", block, CALLER);
  void* moved = resize(block, size);
  leave();
  return moved;
}

static void* align(const char* name, size_t alignment, size_t size, void* caller) {
  enter(name, NULL, caller);
  void* block = came(real.memalign(alignment, size));
  leave();
  return block;
}

EXPORT void* memalign(size_t alignment, size_t size) { return align("memalign", alignment, size, CALLER); }

EXPORT void* aligned_alloc(size_t alignment, size_t size) {
  return align("aligned_alloc", alignment, size, CALLER);
}

EXPORT void* valloc(size_t size) { return align("valloc", (size_t)sysconf(_SC_PAGESIZE), size, CALLER); }

EXPORT void* pvalloc(size_t size) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  if (size > SIZE_MAX - page) return errno = ENOMEM, NULL;
  return align("pvalloc", page, (size + page - 1) & -page, CALLER);
}

EXPORT int posix_memalign(void** block, size_t alignment, size_t size) {
  enter("posix_memalign", NULL, CALLER);
  const int error = real.posix_memalign(block, alignment, size);
  if (error == 0) came(*block);
  leave();
  return error;
}

// mcheck's is an int.
EXPORT size_t malloc_usable_size(void* block) {
  if (real.malloc == NULL) resolve();
  return on && block != NULL ? header_of(block)->size : real.malloc_usable_size(block);
}

// --- mcheck(3) ---------------------------------------------------------------------------------------------

// It is on already: what is left to choose is who hears of it.
EXPORT int mcheck(AbortFunction function) {
  if (!on) return -1;
  abort_function = function;
  return 0;
}

EXPORT int mcheck_pedantic(AbortFunction function) { return mcheck(function); }

EXPORT int memprobe_mprobe(void* block) {
  if (!on) return MCHECK_DISABLED;
  enter("mprobe", block, CALLER);
  const enum mcheck_status status = ask(block);
  leave();
  return status;
}

struct Findings {
  struct memprobe_bad_block* first;
  size_t room;
  size_t count;
};

static enum mcheck_status check(struct Header* header, struct Findings* found) {
  const enum mcheck_status status = ask(header + 1);
  if (status == MCHECK_OK) return status;
  if (found->count < found->room)
    found->first[found->count] = (struct memprobe_bad_block){header + 1, header->size, status};
  found->count++;
  return status;
}

// The way to the next block leads through the header: from either end up to one that is overwritten.
static void check_from_both_ends(struct Findings* found) {
  struct Header* broken = oldest;
  while (broken != NULL && check(broken, found) != MCHECK_HEAD) broken = broken->prev;
  if (broken == NULL) return;
  struct Header* header = newest;
  while (header != NULL && header != broken && check(header, found) != MCHECK_HEAD) header = header->next;
}

// glibc's own ends by turning pedantic checks on for good, which makes each malloc as slow as this.
EXPORT size_t memprobe_mcheck_check_all(struct memprobe_bad_block* first, size_t room) {
  struct Findings found = {first, room, 0};
  if (!on) return 0;
  enter("mcheck_check_all", NULL, CALLER);
  check_from_both_ends(&found);
  leave();
  return found.count;
}

static void report_and_abort(const struct memprobe_bad_block* bad, const char* name, const void* caller) {
  report((enum mcheck_status)bad->status, name, bad->block, caller);
  if (abort_function != NULL)
    abort_function((enum mcheck_status)bad->status);
  else
    abort();
}

EXPORT void mcheck_check_all(void) {
  struct memprobe_bad_block first;
  if (memprobe_mcheck_check_all(&first, 1) != 0) report_and_abort(&first, "mcheck_check_all", CALLER);
}

EXPORT enum mcheck_status mprobe(void* block) {
  if (block == NULL) return mcheck_check_all(), on ? MCHECK_OK : MCHECK_DISABLED;
  const struct memprobe_bad_block probed = {block, 0, memprobe_mprobe(block)};
  if (probed.status > MCHECK_OK) report_and_abort(&probed, "mprobe", CALLER);
  return (enum mcheck_status)probed.status;
}

// --- the start ---------------------------------------------------------------------------------------------

static void take(void) { pthread_mutex_lock(&lock); }
static void give_back(void) { pthread_mutex_unlock(&lock); }

static bool wants_pedantic(char** environment) {
  static const char wanted[] = "MEMPROBE_MCHECK=pedantic";
  while (*environment != NULL) {
    if (strcmp(*environment++, wanted) == 0) return true;
  }
  return false;
}

// getenv does not work yet: libc itself is initialised after this.
__attribute__((constructor)) static void begin(int argc, char** argv, char** environment) {
  (void)argc, (void)argv;
  resolve();
  int (*start)(AbortFunction) =
      (int (*)(AbortFunction))find(wants_pedantic(environment) ? "mcheck_pedantic" : "mcheck");
  if (start == NULL || real.mprobe == NULL || start(inconsistent) != 0) {
    static const char why[] =
        "memprobe: mcheck is off: libc_malloc_debug.so.0 is not preloaded after it, or malloc was used "
        "before\n";
    if (write(STDERR_FILENO, why, sizeof why - 1) == -1) return;
    return;
  }
  oldest = newest = header_of(real.malloc(1));
  on = true;
  pthread_atfork(take, give_back, give_back);
}
