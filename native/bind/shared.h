#pragma once

// What memprobe_numa.so uses of memprobe.node. It is linked against it and finds it already loaded, so both work on the
// same books of the guard.
#define MEMPROBE_SHARED [[gnu::visibility("default")]]
