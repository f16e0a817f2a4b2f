// A program with a heap that is known: heap.test.ts compiles it, looks at it from outside, and compares with what
// malloc says itself. It answers one command a line: i malloc_info, m mallinfo2, t malloc_trim, a more blocks, q quit.
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { THREADS = 3, WILD_THREADS = 4, ADDED = 1000, ADDED_SIZE = 1496 };

// Without buffers of their own, stdin and stdout would be blocks in the heap that is looked at.
static char in_buffer[1 << 12];
static char out_buffer[1 << 16];

static void *filled(size_t size) {
  void *block = malloc(size);
  if (block == NULL) abort();
  return memset(block, 1, size);
}

// Blocks of many sizes, some of them freed: into bins, into the tcache, and small ones into fastbins.
static void fragment(size_t count, size_t step) {
  char **blocks = filled(count * sizeof *blocks);
  for (size_t i = 0; i < count; i++) blocks[i] = filled(16 + i * 37 % step);
  for (size_t i = 0; i < count; i += 3) free(blocks[i]);
  char *small[40];
  for (size_t i = 0; i < 40; i++) small[i] = filled(40);
  for (size_t i = 0; i < 40; i++) free(small[i]);
}

static pthread_barrier_t ready;
static void *thread_main(void *arg) {
  fragment(20000, 3000);
  if (arg != NULL) fragment(40000, 6000);  // more than one heap of 64 MiB
  pthread_barrier_wait(&ready);
  pause();
  return NULL;
}

static void arenas(void) {
  pthread_t thread;
  pthread_barrier_init(&ready, NULL, THREADS + 1);
  for (size_t i = 0; i < THREADS; i++) pthread_create(&thread, NULL, thread_main, i == 0 ? &ready : NULL);
  pthread_barrier_wait(&ready);
  fragment(50000, 500);
  char *large[12];
  for (size_t i = 0; i < 12; i++) large[i] = memset(malloc(200000 + i * 50000), 1, 100000);
  memset(aligned_alloc(1 << 16, 1 << 20), 1, 1 << 20);
  memset(aligned_alloc(1 << 12, 1 << 20), 1, 100);
  free(large[3]);
  free(large[7]);
}

// Large free blocks between small ones in use, and a large top: what malloc_trim is for.
static void trimmable(void) {
  static char *blocks[4000];
  for (size_t i = 0; i < 4000; i++) blocks[i] = filled(i % 2 == 0 ? 30000 + i : 100);
  for (size_t i = 0; i < 4000; i += 2) free(blocks[i]);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  for (size_t i = 0; i < 100; i++) blocks[i * 2] = filled(100000);
  for (size_t i = 0; i < 100; i++) free(blocks[i * 2]);
}

static void million(size_t count, size_t size) {
  for (size_t i = 0; i < count; i++) memset(malloc(size), 1, 24);
}

// Somebody else moves the break now and then.
static void foreign(void) {
  for (size_t i = 0; i < 5; i++) {
    fragment(2000, 900);
    memset(sbrk(40000), 0x21, 40000);
  }
  fragment(2000, 900);
}

// Something is mapped where the break would grow: malloc goes on with mmap.
static void blocked(void) {
  fragment(2000, 900);
  char *end = (char *)(((unsigned long)sbrk(0) + 4095) & ~4095UL);
  if (mmap(end, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != end) abort();
  fragment(40000, 500);
}

// As low_level_alloc.cc of Abseil lays out a region: each block's size, and a number xor-ed with its address.
static void abseil(void) {
  const size_t length = 17 << 16;
  char *region = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const size_t first = 0x1001a0;
  *(unsigned long *)region = first;
  *(unsigned long *)(region + 8) = 0x4c833e95UL ^ (unsigned long)region;
  memset(region + 32, 0xff, first - 32);
  *(unsigned long *)(region + first) = length - first;
  *(unsigned long *)(region + first + 8) = ~0x4c833e95UL ^ (unsigned long)(region + first);
}

static void *wild_main(void *arg) {
  unsigned long state = (unsigned long)arg * 7919 + 1;
  static _Thread_local char *blocks[20000];
  for (;;) {
    state = state * 6364136223846793005UL + 1442695040888963407UL;
    const size_t i = (state >> 33) % 20000;
    free(blocks[i]);
    const size_t size = state >> 60 == 0 ? (state >> 40) % 400000 : (state >> 40) % 2000;
    blocks[i] = memset(malloc(size + 1), 0x21, size + 1);
  }
  return NULL;
}

static void wild(void) {
  pthread_t thread;
  for (size_t i = 0; i < WILD_THREADS; i++) pthread_create(&thread, NULL, wild_main, (void *)(i + 1));
}

static void mallinfo_out(void) {
  const struct mallinfo2 info = mallinfo2();
  printf("{\"arena\":%zu,\"ordblks\":%zu,\"smblks\":%zu,\"hblks\":%zu,\"hblkhd\":%zu,\"fsmblks\":%zu,"
         "\"uordblks\":%zu,\"fordblks\":%zu,\"keepcost\":%zu}\n",
         info.arena, info.ordblks, info.smblks, info.hblks, info.hblkhd, info.fsmblks, info.uordblks, info.fordblks,
         info.keepcost);
}

static void answer(char command) {
  if (command == 'i') malloc_info(0, stdout);
  if (command == 'm') mallinfo_out();
  if (command == 't') printf("%d\n", malloc_trim(0));
  if (command == 'a') million(ADDED, ADDED_SIZE);
  puts(".");
  fflush(stdout);
}

int main(int argc, char **argv) {
  setvbuf(stdin, in_buffer, _IOFBF, sizeof in_buffer);
  setvbuf(stdout, out_buffer, _IOFBF, sizeof out_buffer);
  const char *what = argc > 1 ? argv[1] : "";
  if (strcmp(what, "arenas") == 0) arenas();
  if (strcmp(what, "trimmable") == 0) trimmable();
  if (strcmp(what, "million") == 0) million(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
  if (strcmp(what, "foreign") == 0) foreign();
  if (strcmp(what, "blocked") == 0) blocked();
  if (strcmp(what, "abseil") == 0) abseil();
  if (strcmp(what, "wild") == 0) wild();
  answer(0);
  for (char line[16]; fgets(line, sizeof line, stdin) != NULL && line[0] != 'q';) answer(line[0]);
  return 0;
}
