export function formatNumber(value: number): string {
  return value.toLocaleString('en-US')
}

/** A count with its noun, such as `1 message` or `1,200 messages`. */
export function countOf(count: number, noun: string): string {
  return `${formatNumber(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** `A, B, C and 97 more`. */
export function joinNames(names: readonly string[]) {
  return names.length > 4 ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more` : names.join(', ')
}
