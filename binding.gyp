{
  "variables": {
    "version": "<!(node -p \"require('./package.json').version\")",
    "has_libnuma": "<!(echo '#include <numa.h>' | ${CXX:-c++} -x c++ -E - >/dev/null 2>&1 && echo 1 || echo 0)",
    # A prebuilt binary brings its libstdc++ along: the user's may be older than the build's.
    "link_flags": ["<!@(node -p \"process.env.MEMPROBE_STATIC ? '-static-libstdc++ -Wl,--exclude-libs,ALL,--gc-sections,-s' : ''\")"],
    "not_cxx_flags": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"],
    # -Wrestrict: false alarms in GCC 12's std::string (GCC bug 105651).
    # -Wignored-attributes: a C prototype as a template argument sheds its malloc and nonnull attributes.
    "cxx_flags": ["-std=c++20", "-fexceptions", "-fvisibility=hidden", "-fno-plt", "-Wall", "-Wextra", "-Wconversion", "-Wno-restrict", "-Wno-ignored-attributes"]
  },
  "targets": [
    {
      "target_name": "memprobe",
      "sources": ["<!@(ls native/*.cc native/bind/*.cc native/guard/*.cc native/libc/*.cc native/mtrace/*.cc native/procfs/*.cc native/replay/*.cc)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=9", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS", "_GNU_SOURCE"],
      "ldflags": ["<@(link_flags)"],
      # Behind node-gyp's own, which it overrides: the second addon finds this one by its name, and of two versions of
      # memprobe in one process the right one.
      "libraries": ["-Wl,-soname=memprobe-<(version).node"],
      "cflags_cc!": ["<@(not_cxx_flags)"],
      "cflags_cc": ["<@(cxx_flags)"]
    },
    # For LD_PRELOAD, beside the addon: lib/malloc_debug.ts finds them there. In C, so that programs without libstdc++
    # can be started with them. mcheck must be first of all (-z initfirst).
    {
      "target_name": "memprobe_mcheck",
      "target_conditions": [["_type=='loadable_module'", {"product_extension": "so"}]],  # node-gyp would have it .node
      "sources": ["native/preload/mcheck.c"],
      "defines": ["_GNU_SOURCE"],
      "cflags_c": ["-std=gnu11", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wconversion"],
      "ldflags": ["-Wl,--as-needed", "-Wl,-z,initfirst", "-Wl,-z,now"]
    },
    {
      "target_name": "memprobe_mtrace",
      "target_conditions": [["_type=='loadable_module'", {"product_extension": "so"}]],  # node-gyp would have it .node
      "sources": ["native/preload/mtrace.c"],
      "defines": ["_GNU_SOURCE"],
      "cflags_c": ["-std=gnu11", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wconversion"],
      "ldflags": ["-Wl,--as-needed", "-Wl,-z,now"]
    }
  ],
  "conditions": [
    # memprobe/libnuma. Without libnuma's header everything else is there. Not a .node: node-gyp-build might take it for
    # the first one.
    ["has_libnuma==1", {
      "targets": [
        {
          "target_name": "memprobe_numa",
          "target_conditions": [["_type=='loadable_module'", {"product_extension": "so"}]],
          "dependencies": ["memprobe"],
          "sources": ["<!@(ls native/libnuma/*.cc)"],
          "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
          "defines": ["NAPI_VERSION=9", "NAPI_DISABLE_CPP_EXCEPTIONS", "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS", "_GNU_SOURCE"],
          "ldflags": ["<@(link_flags)", "-Wl,-z,nodelete"],
          "libraries": ["-L<(PRODUCT_DIR)", "-l:memprobe.node", "-lnuma"],
          "cflags_cc!": ["<@(not_cxx_flags)"],
          "cflags_cc": ["<@(cxx_flags)"]
        }
      ]
    }]
  ]
}
