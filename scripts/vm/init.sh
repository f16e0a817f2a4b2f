#!/bin/busybox sh
# The machine's first process. ttyS0 carries the reports, ttyS1 is the console. MEMPROBE_MAIN comes from the kernel's
# command line: what the kernel does not know there is in the environment here.
/bin/busybox mkdir -p /proc /sys /dev /tmp /etc /usr /root
/bin/busybox --install -s /bin
export PATH=/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm
mount -t tmpfs tmp /tmp
mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup /sys/fs/cgroup
exec </dev/null >/dev/ttyS1 2>&1
ip link set lo up

for module in /modules/*.ko; do
  insmod "$module" || echo "init: $module does not load"
done
echo 128M >/sys/block/zram0/disksize && mkswap /dev/zram0 && swapon /dev/zram0

stty -F /dev/ttyS0 raw -echo
cd /memprobe
node "test/vm/inside/$MEMPROBE_MAIN.js" >/dev/ttyS0
echo "{\"ended\":$?}" >/dev/ttyS0
poweroff -f
