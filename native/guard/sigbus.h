// A file that shrinks under its mapping must not kill Node.
#pragma once

namespace memprobe::guard::sigbus {

// From the first owned file mapping on: an access behind the file's end, inside a mapping of ours, finds a page of
// zeroes instead of a signal. Every other SIGBUS goes to the handler that was there before.
void install();

}  // namespace memprobe::guard::sigbus
