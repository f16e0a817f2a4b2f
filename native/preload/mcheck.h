// What the preloaded mcheck.c offers to the addon, which looks these names up with dlsym.
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct memprobe_bad_block {
  void* block;
  size_t size;
  int status;  // enum mcheck_status
};

// mprobe(3) that returns what it finds, instead of aborting.
int memprobe_mprobe(void* block);

// mcheck_check_all(3) likewise: the number of bad blocks, the first `room` of them in `first`. The way to
// the next block leads through the header, so what lies between two overwritten ones is not reached.
size_t memprobe_mcheck_check_all(struct memprobe_bad_block* first, size_t room);

#ifdef __cplusplus
}
#endif
