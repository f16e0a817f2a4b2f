// A file that shrinks under its mapping, and a call that still uses a view whose memory has gone, must not kill Node.
#pragma once

namespace memprobe::guard::faults {

// From the first owned file mapping or detached view on. SIGBUS inside a mapping of ours (behind the file's end, or no
// room left on its filesystem): a page of zeroes takes the place of what is missing, and the mapping is marked.
// SIGSEGV inside a stale view (holds.h): the page is made accessible for those who still use it.
// Every other such signal goes to the handler that was there before.
void install();

}  // namespace memprobe::guard::faults
