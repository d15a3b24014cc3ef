export function formatNumber(value: number): string {
  return value.toLocaleString('en-US')
}

/** A count with its noun, such as `1 message` or `1,200 messages`. */
export function countOf(count: number, noun: string): string {
  return `${formatNumber(count)} ${noun}${count === 1 ? '' : 's'}`
}
