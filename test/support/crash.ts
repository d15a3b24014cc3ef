/** What a poison message does at each delivery. Lambda then has no response for the whole batch. */
export const crash = {
  exit() {
    process.exit(1)
  },
  memory() {
    const held: unknown[] = []
    for (;;) held.push(new Array(1e6).fill(Math.random()))
  },
  loop() {
    for (;;);
  },
}
