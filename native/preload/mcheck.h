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

// mcheck_check_all(3) likewise: the number of bad blocks, the first `room` of them in `found`. It ends at a
// block whose header is overwritten, since the way to the next one leads through it.
size_t memprobe_mcheck_check_all(struct memprobe_bad_block* found, size_t room);

#ifdef __cplusplus
}
#endif
