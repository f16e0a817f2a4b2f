// The guard's books by themselves, without Node: what they know, refuse and give back. For valgrind and the thread
// sanitizer, which Node does not run under.
#include "check.h"

void ranges_tests();
void blocks_tests();
void holds_tests();
void owned_tests();
void needs_tests();
void shares_tests();
void threads_tests();

int main() {
  ranges_tests();
  blocks_tests();
  holds_tests();
  owned_tests();
  needs_tests();
  shares_tests();
  threads_tests();
  return check::failures == 0 ? 0 : 1;
}
