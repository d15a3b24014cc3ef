// Loaded with --import, so that a test needs neither time nor CPU time for a handler that uses both: `burn()` lets them
// pass at once.
let burnt = 0
const now = performance.now.bind(performance)
performance.now = () => now() + burnt
process.cpuUsage = process.threadCpuUsage = ({ user, system } = { user: 0, system: 0 }) => ({
  user: burnt * 1000 - user,
  system: -system,
})
globalThis.burn = (ms) => {
  burnt += ms
}
