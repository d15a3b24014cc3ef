/**
 * Mutants that no test can detect, because they behave like the original. Each has the line as it is, the lines that the
 * mutants have instead, and the reason. A line that occurs twice in the file is listed once for each mutant.
 */
export const EQUIVALENT: Readonly<
  Record<string, readonly (readonly [before: string, afters: readonly string[], reason: string])[]>
> = {
  'src/seen-records.ts': [
    [
      'let checked = { records: undefined as unknown, length: 0, times: 0 }',
      ['let checked = {}'],
      'The first check sets all three. Until then, only an event without records compares equal, and its check fails.',
    ],
    [
      'if (isSame && checked.times >= MAX_CHECKS) return',
      ['if (isSame && checked.times > MAX_CHECKS) return'],
      'One more check of the same list takes time and changes nothing else.',
    ],
  ],
  'src/sqs-event.ts': [
    [
      'receiveCounts.push(count >= 1 && count < Infinity ? count : 1)',
      ['receiveCounts.push(count > 1 && count < Infinity ? count : 1)'],
      'The default is 1, too.',
    ],
    [
      'for (let index = 0; index < length; index++) {',
      ['for (let index = 0; index <= length; index++) {'],
      'Both lists have this length, so the additional entry is `undefined` in both.',
    ],
    [
      "return typeof arn === 'string' && arn.endsWith('.fifo') ? String(record.attributes?.MessageGroupId ?? '') : undefined",
      [
        "return typeof arn === 'string' && arn.endsWith('.fifo') ? String(record.attributes?.MessageGroupId ?? \"Stryker was here!\") : undefined",
      ],
      'Records without a group form one group. Its name is not visible.',
    ],
  ],
  'src/scheduler/job-states.ts': [
    [
      'const results: (Result | undefined)[] = new Array(count) // `undefined` for a job that is waiting',
      ['const results: (Result | undefined)[] = new Array() // `undefined` for a job that is waiting'],
      'The length only reserves memory: jobs are read by their index.',
    ],
    [
      'if (jobs.length === 0) return',
      ['if (false) return'],
      'Without jobs, this makes an error that nobody receives, and subtracts 0.',
    ],
  ],
  'src/scheduler/ready-queue.ts': [
    [
      'const groupOf: number[][] = new Array(groups.length)',
      ['const groupOf: number[][] = new Array()'],
      'The length only reserves memory: each job is set in the loop below.',
    ],
    [
      'if ((descending[middle] as number) > number) low = middle + 1',
      ['if (descending[middle] as number >= number) low = middle + 1'],
      'A job is in the queue once, so the two numbers are never equal.',
    ],
  ],
  'src/handlers/jobs.ts': [
    [
      'receiveCount: () => 1, // a chunk handler does not receive a receive count',
      ['receiveCount: () => undefined, // a chunk handler does not receive a receive count'],
      'A chunk handler does not receive it.',
    ],
  ],
}
