/** Formats figures for people: the same figure has the same text on the terminal and on the page. */

const NOT_KNOWN = '–'

/** Small figures have three significant digits: 12,345, 12.3, 0.0123. */
export function formatFigure(value: number | null): string {
  if (value === null) return NOT_KNOWN
  const options = Math.abs(value) < 100 ? { maximumSignificantDigits: 3 } : { maximumFractionDigits: 0 }
  return value.toLocaleString('en-US', options)
}

/** A share from 0 to 1 in percent. A few failures among many records are not shown as 0. */
export function formatShare(share: number): string {
  if (share > 0 && share < 0.0001) return '< 0.01 %'
  // Likewise, a few successes among many failures are not shown as 100 %.
  if (share < 1 && share > 0.999) return '> 99.9 %'
  return `${formatFigure(share * 100)} %`
}

export function formatCost(dollars: number | null): string {
  if (dollars === null) return NOT_KNOWN
  const digits = dollars < 1 ? { minimumSignificantDigits: 3, maximumSignificantDigits: 3 } : {}
  return dollars.toLocaleString('en-US', { style: 'currency', currency: 'USD', ...digits })
}

/** Exact to the second: 45 s, 3 min, 3 min 20 s. */
export function formatDuration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const minutes = Math.floor(seconds / 60)
  const rest = `${seconds % 60} s`
  if (minutes === 0) return rest
  return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${rest}`
}

/** "a", "a and b", "a, b and c". */
export const formatList = (items: readonly string[]) => new Intl.ListFormat('en-GB').format(items)
