{
  "targets": [
    {
      "target_name": "memprobe",
      "sources": ["<!@(ls native/*.cc native/bind/*.cc native/guard/*.cc native/libc/*.cc native/procfs/*.cc)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "defines": ["NAPI_VERSION=9", "NAPI_DISABLE_CPP_EXCEPTIONS", "_GNU_SOURCE"],
      # A prebuilt binary brings its libstdc++ along: the user's may be older than the build's.
      "ldflags": ["<!@(node -p \"process.env.MEMPROBE_STATIC ? '-static-libstdc++ -Wl,--exclude-libs,ALL,--gc-sections,-s' : ''\")"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17"],
      # -Wrestrict: false alarms in GCC 12's std::string (GCC bug 105651).
      # -Wignored-attributes: a C prototype as a template argument sheds its malloc and nonnull attributes.
      "cflags_cc": ["-std=c++20", "-fexceptions", "-fvisibility=hidden", "-fno-plt", "-Wall", "-Wextra", "-Wconversion", "-Wno-restrict", "-Wno-ignored-attributes"]
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
  ]
}
