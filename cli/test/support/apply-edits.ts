import type { Edit } from '../../src/doctor/edit-template.ts'

/** The text after edits that do not overlap. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  const starts = [0, ...Array.from(text.matchAll(/\n/g), ({ index }) => index + 1)]
  const offsetOf = (line: number, column: number) => (starts[line - 1] ?? 0) + column - 1
  return edits
    .map((edit) => ({
      ...edit,
      start: offsetOf(edit.startLine, edit.startColumn),
      end: offsetOf(edit.endLine, edit.endColumn),
    }))
    .sort((a, b) => b.start - a.start)
    .reduce((changed, { start, end, text: inserted }) => changed.slice(0, start) + inserted + changed.slice(end), text)
}
