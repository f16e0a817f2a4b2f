/*
 * Replays a stream of operations (lib/compare/stream.ts) on the C library's malloc, or with "nothing" on none at all: what the loop
 * itself costs. Prints "ready", the highest address used, then for each line "rounds" on stdin the nanoseconds of CPU time taken.
 * What it needs for itself it maps: the heap is the workload's alone.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static volatile uintptr_t sink;

static void replay(const int32_t *ops, size_t count, void **slots) {
  for (size_t i = 0; i < count; i += 2) {
    void **slot = &slots[ops[i]];
    int32_t size = ops[i + 1];
    if (size < 0) {
      *slot = realloc(*slot, (size_t)-size);
    } else {
      if (*slot) free(*slot);
      *slot = size ? malloc((size_t)size) : NULL;
    }
  }
}

static void replay_nothing(const int32_t *ops, size_t count, void **slots) {
  for (size_t i = 0; i < count; i += 2) {
    void **slot = &slots[ops[i]];
    int32_t size = ops[i + 1];
    if (size < 0) {
      *slot = (void *)(intptr_t)-size;
    } else {
      if (*slot) sink = (uintptr_t)*slot;
      *slot = (void *)(intptr_t)size;
    }
  }
}

/* The end of the highest block on the heap, from the heap's start, and what was mapped apart. */
static size_t peak_of(const int32_t *ops, size_t count, void **slots) {
  uintptr_t start = 0, end = 0, top = (uintptr_t)sbrk(0);
  size_t peak = 0, mapped = 0;
  for (size_t i = 0; i < count; i += 2) {
    replay(ops + i, 2, slots);
    uintptr_t block = (uintptr_t)slots[ops[i]];
    if (abs(ops[i + 1]) >= 128 * 1024 || (ops[i + 1] == 0 && mapped)) mapped = mallinfo2().hblkhd;
    if (!block) continue;
    if (!start) start = block - 16;
    if (block >= top) top = (uintptr_t)sbrk(0);
    uintptr_t limit = block + malloc_usable_size((void *)block);
    if (block >= start && block < top && limit > end) end = limit;
    if (end - start + mapped > peak) peak = end - start + mapped;
  }
  return peak;
}

static void *map(size_t bytes) {
  return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

int main(int argc, char **argv) {
  setvbuf(stdin, map(4096), _IOFBF, 4096);
  setvbuf(stdout, map(4096), _IOLBF, 4096);
  int fd = open(argv[1], O_RDONLY);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) return 1;
  const int32_t *ops = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  size_t count = (size_t)st.st_size / sizeof *ops;
  void **slots = map(sizeof(void *) << 20);
  int nothing = argc > 2 && strcmp(argv[2], "nothing") == 0;
  puts("ready");
  printf("%zu\n", nothing ? 0 : peak_of(ops, count, slots));
  for (int rounds; scanf("%d", &rounds) == 1;) {
    struct timespec a, b;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    for (int i = 0; i < rounds; i++) (nothing ? replay_nothing : replay)(ops, count, slots);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    printf("%.0f\n", (double)(b.tv_sec - a.tv_sec) * 1e9 + (double)(b.tv_nsec - a.tv_nsec));
  }
  return 0;
}
