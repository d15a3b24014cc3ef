// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the texts are code
/**
 * Mutants that no test can detect, because they behave like the original. Each has the line as it is, the lines that the
 * mutants have instead, and the reason. A line that occurs twice in the file is listed once for each mutant.
 */
export const EQUIVALENT: Readonly<
  Record<string, readonly (readonly [before: string, afters: readonly string[], reason: string])[]>
> = {
  'src/errors.ts': [
    [
      'return safely(() => OUTCOMES.find(([RecordError]) => error instanceof RecordError)?.[1])',
      ['return safely(() => OUTCOMES.find(([RecordError]) => error instanceof RecordError)[1])'],
      'If no class fits, this throws an error that is ignored.',
    ],
    [
      'if (!last || last.error !== error) last = { error, result: read(error) }',
      ['if (true) last = { error, result: read(error) }'],
      'The same error is read again, with the same result. The condition saves time.',
    ],
  ],
  'src/sqs-event.ts': [
    [
      'receiveCounts.push(count >= 1 && count < Infinity ? count : 1)',
      ['receiveCounts.push(count > 1 && count < Infinity ? count : 1)'],
      'The default is 1, too.',
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
    [
      "if (!result) notStarted ??= new RecordNotStartedError('The batch ended before the record started')",
      ["if (true) notStarted ??= new RecordNotStartedError('The batch ended before the record started')"],
      'If all jobs have a result, this makes an error that nobody receives.',
    ],
  ],
  'src/scheduler/job-options.ts': [
    [
      'safely(() => options.#controller?.abort(reason))',
      ['safely(() => options.#controller.abort(reason))'],
      'Without a controller, this throws an error that is ignored.',
    ],
  ],
  'src/scheduler/ready-queue.ts': [
    [
      'const groupOf: JobNumber[][] = new Array(groups.length)',
      ['const groupOf: JobNumber[][] = new Array()'],
      'The length only reserves memory: each job is set in the loop below.',
    ],
    [
      'const place = ready.findIndex((other) => other < next) // mostly the first place: later jobs have higher numbers',
      [
        'const place = ready.findIndex((other) => other <= next) // mostly the first place: later jobs have higher numbers',
      ],
      'A job is in the queue once, so the two numbers are never equal.',
    ],
  ],
  'src/scheduler/worker-loop.ts': [
    [
      'const isFixed = limiter.current === undefined',
      ['const isFixed = false'],
      'It saves time. Without it, the clock is read twice, and a worker may give its slot up to a batch that has ended.',
    ],
    [
      'const isObserved = !isFixed || jobs.settled !== undefined',
      ['const isObserved = true'],
      'Reading the clock always is correct. The condition saves time.',
    ],
    [
      'const isRunning = ({ job }: Worker) => work?.states.isRunning(job) === true',
      ['const isRunning = ({ job }: Worker) => work.states.isRunning(job) === true'],
      'After the end of the batch, no worker holds a slot, so nobody asks. TypeScript needs the check.',
    ],
    [
      'while (workerCount < slots.limit && workerCount < maxInFlight && nextCount() > 0) {',
      [
        'while (workerCount < slots.limit && true && nextCount() > 0) {',
        'while (workerCount < slots.limit && workerCount <= maxInFlight && nextCount() > 0) {',
      ],
      'An additional worker finds no job and frees its slot.',
    ],
    [
      'mustGiveUp = (!isFixed || active.size > 1) && slots.isContended()',
      [
        'mustGiveUp = (true) && slots.isContended()',
        'mustGiveUp = (!isFixed || active.size >= 1) && slots.isContended()',
      ],
      'The first condition saves time. Without it, a worker may also give its slot up to a batch that has ended.',
    ],
    ['if (handlersWait) continue', ['if (false) continue'], 'The second microtask and the check then only cost time.'],
    [
      'if (++inFlight > peakInFlight) peakInFlight = inFlight',
      ['if (++inFlight >= peakInFlight) peakInFlight = inFlight'],
      'It sets an equal value.',
    ],
    [
      'return hasWaitingJobs() ? work?.jobs.ready.take() : undefined',
      ['return hasWaitingJobs() ? work.jobs.ready.take() : undefined'],
      'hasWaitingJobs() has checked it. TypeScript needs the check.',
    ],
    [
      'const job = hasWaitingJobs() ? work?.jobs.ready.peek() : undefined',
      ['const job = hasWaitingJobs() ? work.jobs.ready.peek() : undefined'],
      'hasWaitingJobs() has checked it. TypeScript needs the check.',
    ],
  ],
  'src/scheduler/rate-dispatch.ts': [
    [
      'isDispatching = false',
      ['isDispatching = true'],
      'At the end of the loop, the batch has drained or ended: there is nothing more to dispatch.',
    ],
    [
      'if (!isDue) break',
      ['if (false) break'],
      'The batch has drained or ended, so takeJob() returns no job. The worker may wait once more before it frees its slot.',
    ],
    [
      'if (now > yieldTimer.yieldAt) {',
      ['if (now >= yieldTimer.yieldAt) {'],
      'At exactly this time, the worker yields once more.',
    ],
  ],
  'src/scheduler/watch.ts': [
    [
      'let next = now < drainAt ? drainAt : abortAt',
      ['let next = now <= drainAt ? drainAt : abortAt'],
      'At exactly this time, one more timer of 1 ms starts.',
    ],
    [
      'if (recordTimeout < Infinity) {',
      ['if (true) {', 'if (recordTimeout <= Infinity) {'],
      'With an infinite timeout, no job expires and none is unresponsive. The check saves time.',
    ],
    [
      'if (now < nextAt) next = Math.min(next, nextAt)',
      ['if (now <= nextAt) next = Math.min(next, nextAt)'],
      'At exactly this time, one more timer of 1 ms starts.',
    ],
  ],
  'src/adaptive/limiter.ts': [
    [
      'if (worker.token) worker.token = search.timedOut(worker.token, worker.startedAt, error, now)',
      ['if (true) worker.token = search.timedOut(worker.token, worker.startedAt, error, now)'],
      'A running job has a token. TypeScript needs the check.',
    ],
    [
      'if (search.limit > slots.limit) queueMicrotask(raiseLimit)',
      ['if (search.limit >= slots.limit) queueMicrotask(raiseLimit)'],
      'With an equal limit, raiseLimit() sets an equal limit, and startWorkers() finds nothing to start.',
    ],
    [
      'else if (search.limit < slots.limit) slots.limit = search.limit',
      ['else if (true) slots.limit = search.limit', 'else if (search.limit <= slots.limit) slots.limit = search.limit'],
      'The limit is not higher here, and setting an equal limit changes nothing. The check saves time.',
    ],
    [
      'if (search.limit !== slots.limit) slots.limit = search.limit',
      ['if (true) slots.limit = search.limit'],
      'Setting an equal limit changes nothing. The check saves time.',
    ],
  ],
  'src/shared/safely.ts': [
    ['} catch { return undefined }', ['} catch {}'], 'A function without `return` returns `undefined`, too.'],
  ],
  'src/adaptive/classify.ts': [
    [
      'const result: unknown = custom?.(error)',
      ['const result: unknown = custom(error)'],
      'Without the option, the call throws, and the built-in rules apply.',
    ],
    [
      'if (isObject(result)) void Promise.resolve(result).catch(() => {})',
      ['if (true) void Promise.resolve(result).catch(() => {})'],
      'A value that is not an object only makes a promise that nobody uses.',
    ],
    [
      'return safely(() => Array.isArray(errors) && [...errors.slice(0, MAX_ERRORS)]) || []',
      ['return safely(() => Array.isArray(errors) && [...errors.slice(0, MAX_ERRORS)]) || ["Stryker was here"]'],
      'Only objects are searched, and this is a text.',
    ],
  ],
  'src/adaptive/climb.ts': [
    [
      "lastProbe = lastProbe === 'down' ? 'up' : 'down'",
      ["lastProbe = lastProbe === 'down' ? \"\" : 'down'"],
      'Any value other than "down" means "up".',
    ],
  ],
  'src/report/tracing.ts': [
    [
      'return batchChannel.hasSubscribers || recordChannel.hasSubscribers',
      ['return true'],
      'Then there is no warm-up, which only lets V8 compile the code earlier.',
    ],
    [
      'const ends: ((result: PromiseSettledResult<undefined>) => void)[] = []',
      ['const ends: ((result: PromiseSettledResult<undefined>) => void)[] = ["Stryker was here"]'],
      'Each entry is set when its job starts, before it is called.',
    ],
  ],
  'src/handlers/returned.ts': [
    [
      'if (response === undefined) return []',
      ['if (response === undefined) return ["Stryker was here"]'],
      'It is not a failure of any record of the chunk.',
    ],
    [
      'if (!(length > 0)) throw new RefusedResponseError(`a batchItemFailures of length ${length}`)',
      ['if (!(length >= 0)) throw new RefusedResponseError(`a batchItemFailures of length ${length}`)'],
      'With a length of 0, the line before has returned.',
    ],
  ],
  'src/report/response.ts': [
    [
      "const REJECTED = { status: 'rejected' }",
      ['const REJECTED = {}', 'const REJECTED = { status: "" }'],
      '@middy/sqs-partial-batch-failure reports each result that is not fulfilled.',
    ],
    [
      'export function isUnchanged(report: SQSBatchResponse, ids: readonly string[]): boolean | undefined { return safely(() => { const { batchItemFailures: list } = report return ( Array.isArray(list) && list.length === ids.length && ids.every((id, index) => list[index]?.itemIdentifier === id) ) }) }',
      ['export function isUnchanged(report: SQSBatchResponse, ids: readonly string[]): boolean | undefined {}'],
      'A report that counts as changed is read again, with the same result.',
    ],
    [
      'return safely(() => { const { batchItemFailures: list } = report return ( Array.isArray(list) && list.length === ids.length && ids.every((id, index) => list[index]?.itemIdentifier === id) ) })',
      ['return safely(() => {})'],
      'A report that counts as changed is read again, with the same result.',
    ],
    [
      'Array.isArray(list) && list.length === ids.length && ids.every((id, index) => list[index]?.itemIdentifier === id)',
      [
        'false',
        'Array.isArray(list) && list.length === ids.length && ids.every(() => undefined)',
        'Array.isArray(list) && list.length === ids.length && ids.every((id, index) => false)',
        'Array.isArray(list) && list.length === ids.length && ids.every((id, index) => list[index].itemIdentifier === id)',
      ],
      'A report that counts as changed is read again, with the same result.',
    ],
    [
      'if (ids?.length === idsOf(batch, mergeReported(batch, failures, listed ?? [])).length) return ids',
      [
        'if (ids?.length === idsOf(batch, mergeReported(batch, failures, listed ?? ["Stryker was here"])).length) return ids',
      ],
      'If the response has no list, `ids` is `undefined`, and so is its length. TypeScript needs the default.',
    ],
    [
      'if (reported.length === 0 && !batch.groups) return known',
      ['if (false) return known'],
      'Without groups, nothing is added to the failures that are known. The condition saves time.',
    ],
    [
      'addBlocked(batch.groups ?? [], failed)',
      ['addBlocked(batch.groups ?? ["Stryker was here"], failed)'],
      'A group of one record blocks no other.',
    ],
  ],
  'src/invocation.ts': [
    [
      'if (failures.length > 0 && failureHandlers.length > 0) {',
      [
        'if (true) {',
        'if (failures.length > 0 || failureHandlers.length > 0) {',
        'if (true && failureHandlers.length > 0) {',
        'if (failures.length >= 0 && failureHandlers.length > 0) {',
        'if (failures.length > 0 && true) {',
        'if (failures.length > 0 && failureHandlers.length >= 0) {',
      ],
      'Without failures or without handlers, handleFailures() returns equal failures. The check saves time.',
    ],
  ],
  'src/report/failure-handlers.ts': [
    [
      'if (remaining.length === 0) return failures',
      ['if (false) return failures'],
      'Without this line, no handler is called and an equal list is made.',
    ],
  ],
  'src/report/failure-log.ts': [
    [
      "return typeof stack === 'string' ? stack.replace(messageOf(error as object), '').split('\\n', 100) : []",
      [
        "return typeof stack === 'string' ? stack.replace(messageOf(error as object), '').split('\\n', 100) : [\"Stryker was here\"]",
      ],
      'The text is not a frame, so it is not shown.',
    ],
  ],
  'src/sqs/options.ts': [
    [
      "return typeof value === 'number' && Number.isFinite(value)",
      ['return true && Number.isFinite(value)'],
      'Number.isFinite() is false for anything that is not a number. TypeScript needs the check.',
    ],
  ],
  'src/sqs/reasons.ts': [
    [
      'const quotesValue = start >= 0 && end > start',
      ['const quotesValue = start >= 0 && end >= start'],
      'The two texts begin with different letters, so they are not found at the same place.',
    ],
  ],
  'src/sqs/source-queue.ts': [
    [
      'const { href } = new URL(pathOf(arn), context.endpointV2?.url)',
      ['const { href } = new URL(pathOf(arn), context.endpointV2.url)'],
      'The SDK has resolved the endpoint before it calls this. TypeScript needs the check.',
    ],
  ],
  'src/sqs/dead-letter-message.ts': [
    [
      "function bytesOf(name: string, { DataType = '', StringValue = '', BinaryValue }: MessageAttributeValue): number {",
      [
        'function bytesOf(name: string, { DataType = "Stryker was here!", StringValue = \'\', BinaryValue }: MessageAttributeValue): number {',
        'function bytesOf(name: string, { DataType = \'\', StringValue = "Stryker was here!", BinaryValue }: MessageAttributeValue): number {',
      ],
      'Each attribute has a type, and a string or a binary value. TypeScript needs the defaults.',
    ],
  ],
  'src/middleware.ts': [
    [
      "const countsRecords = rateLimit || typeof settings.concurrency !== 'number'",
      ['const countsRecords = true', 'const countsRecords = rateLimit || typeof settings.concurrency !== ""'],
      'With a scheduler of its own, the warm-up only makes the first batch less fast.',
    ],
    [
      'const warmUpSchedule = countsRecords ? createScheduler({ concurrency: 1 }) : schedule',
      ['const warmUpSchedule = countsRecords ? createScheduler({}) : schedule'],
      'The warm-up runs no record. It only lets V8 compile the code earlier.',
    ],
    [
      'if (!isTraced()) warmUp(settings, warmUpSchedule).catch(() => {})',
      ['if (false) warmUp(settings, warmUpSchedule).catch(() => {})', 'if (!isTraced()) ;'],
      'The warm-up only lets V8 compile the code earlier.',
    ],
    [
      'return { concurrency }',
      ['return {}'],
      'createScheduler() also receives the settings, which have the same number. TypeScript needs it.',
    ],
    [
      "if (phase === 'responded') invocation?.assertNotFailed() // Middy reads the response last",
      ["if (phase === 'responded') invocation.assertNotFailed() // Middy reads the response last"],
      'Our `after` sets this phase only if there is an invocation. TypeScript needs the check.',
    ],
    [
      "if (throws && !('earlyResponse' in this)) return removal && invocation?.allFailed()",
      ["if (throws && !('earlyResponse' in this)) return removal && invocation.allFailed()"],
      'A response is removed only if there is an invocation. TypeScript needs the check.',
    ],
    [
      'state.response = state.invocation?.acceptReplacement(response)',
      ['state.response = state.invocation.acceptReplacement(response)'],
      'Our `after` sets this phase only if there is an invocation. TypeScript needs the check.',
    ],
    [
      "async function warmUp(settings: Settings, schedule: ReturnType<typeof createScheduler>): Promise<void> { const batch = checkSqsEvent({ Records: [{ messageId: 'warm-up' }] }) const warmUpSettings = { ...settings, onSummary: undefined } const { run, receive, createResponse } = createInvocation(batch, {} as Context, warmUpSettings, schedule) receive(await run(recordJobs, () => {}, {}, undefined)) await createResponse() }",
      ['async function warmUp(settings: Settings, schedule: ReturnType<typeof createScheduler>): Promise<void> {}'],
      'The warm-up only lets V8 compile the code earlier.',
    ],
    [
      "const batch = checkSqsEvent({ Records: [{ messageId: 'warm-up' }] })",
      [
        'const batch = checkSqsEvent({})',
        'const batch = checkSqsEvent({ Records: [] })',
        'const batch = checkSqsEvent({ Records: [{}] })',
        'const batch = checkSqsEvent({ Records: [{ messageId: "" }] })',
      ],
      'The warm-up runs no record. It only lets V8 compile the code earlier.',
    ],
    [
      'const warmUpSettings = { ...settings, onSummary: undefined }',
      ['const warmUpSettings = {}'],
      'The warm-up only lets V8 compile the code earlier, and its errors are ignored.',
    ],
    [
      'receive(await run(recordJobs, () => {}, {}, undefined))',
      [';'],
      'The warm-up only lets V8 compile the code earlier.',
    ],
  ],
  'cli/src/model/setting.ts': [
    [
      "return setting.state === 'known' ? setting.value : undefined",
      ['return true ? setting.value : undefined'],
      'A setting that is not known has no value. TypeScript needs the check.',
    ],
  ],
  'cli/src/code/source.ts': [
    [
      "function filesOf({ runtime, handler = '', entries = [], layers = [] }: Code, root: string): string[] {",
      [
        'function filesOf({ runtime, handler = "Stryker was here!", entries = [], layers = [] }: Code, root: string): string[] {',
        'function filesOf({ runtime, handler = \'\', entries = ["Stryker was here"], layers = [] }: Code, root: string): string[] {',
        'function filesOf({ runtime, handler = \'\', entries = [], layers = ["Stryker was here"] }: Code, root: string): string[] {',
      ],
      'No file and no folder has this name.',
    ],
    ["if (path === '') return []", ['if (path === \'\') return ["Stryker was here"]'], 'No file has this name.'],
  ],
  'cli/src/doctor/not-checked.ts': [
    [
      "runs.state === 'unknown' ? { ...notChecked(model, lambdaFunction, what, runs.reason), setting } : [],",
      [
        'true ? { ...notChecked(model, lambdaFunction, what, runs.reason), setting } : [],',
        'runs.state === \'unknown\' ? { ...notChecked(model, lambdaFunction, what, runs.reason), setting } : ["Stryker was here"],',
      ],
      'It is not known of any of these mappings whether they run. TypeScript needs the check.',
    ],
  ],
  'cli/src/doctor/assignment-line.ts': [
    [
      'const [name, , inner] = row.terraform ?? [row.name]',
      ['const [name, , inner] = row.terraform ?? []'],
      'Each setting that a fix sets has a name in Terraform. TypeScript needs the default.',
    ],
  ],
  'cli/src/rules/queue-rules.ts': [
    [
      '? [`MessageRetentionPeriod of ${deadLetterQueue?.id} to ${MAX_RETENTION}`]',
      ['? [`MessageRetentionPeriod of ${deadLetterQueue.id} to ${MAX_RETENTION}`]'],
      'Without a dead-letter queue, nothing is shorter. TypeScript needs the check.',
    ],
    [
      "if (backoff === undefined || 'reason' in backoff) {",
      ['if (backoff === undefined || "" in backoff) {'],
      'A reason has returned before. TypeScript needs the check.',
    ],
    [
      'if (arn && deadLetterQueue?.id === queue.id) {',
      ['if (arn && deadLetterQueue.id === queue.id) {'],
      'A policy with an ARN has a dead-letter queue. TypeScript needs the check.',
    ],
  ],
  'cli/src/local/simulator/memory-queue.ts': [
    ['clearTimeout(timer)', [';'], 'The timer only lets waiting calls look once more.'],
    [
      'if (!this.options.fifo) return',
      ['if (false) return'],
      'It only lets waiting calls look once more. TypeScript needs no check, but a standard queue has no groups.',
    ],
  ],
  'cli/src/template/reader.ts': [
    [
      "if (resolved.kind !== 'scalar') return resolved",
      ['if (false) return resolved'],
      'What is no text is no JSON either, and is returned. TypeScript needs the check.',
    ],
  ],
  'cli/src/template/queues.ts': [
    [
      'const words = scalarText(node)?.match(/[\\w-]+/g) ?? []',
      ['const words = scalarText(node)?.match(/[\\w-]+/g) ?? ["Stryker was here"]'],
      'No queue has this name.',
    ],
  ],
  'cli/src/template/resolve.ts': [
    [
      'return name.startsWith(prefix) ? [name.slice(prefix.length)] : []',
      ['return name.startsWith(prefix) ? [name.slice(prefix.length)] : ["Stryker was here"]'],
      'No parameter has this name.',
    ],
    [
      'if (condition === undefined || holds(scope, condition) !== false) return placeholderFor(path)',
      ['if (false || holds(scope, condition) !== false) return placeholderFor(path)'],
      'A condition that is not declared is not false.',
    ],
  ],
  'cli/src/model/filters.ts': [
    [
      'const [first, ...more] = isObject(value) ? Object.entries(value) : []',
      ['const [first, ...more] = isObject(value) ? Object.entries(value) : ["Stryker was here"]'],
      'It is the name of no operator.',
    ],
    [
      'return first && more.length === 0 ? first : []',
      ['return first && more.length === 0 ? first : ["Stryker was here"]'],
      'It is the name of no operator.',
    ],
    [
      'if (error instanceof PatternError) return known<Pattern>({ error: error.message }, position)',
      ['if (true) return known<Pattern>({ error: error.message }, position)'],
      'Any other error would be a mistake in this file.',
    ],
    [
      'const test = OPERATORS.get(name)?.(operand)',
      ['const test = OPERATORS.get(name)(operand)'],
      'An operator that is not in the table has ended the check. TypeScript needs the check.',
    ],
  ],
  'cli/src/terraform/queues.ts': [
    [
      "if (typeof parts !== 'object' || parts === null) return []",
      ['if (typeof parts !== \'object\' || parts === null) return ["Stryker was here"]'],
      'It is no ARN, and no expression.',
    ],
  ],
  'cli/src/code/imports.ts': [
    [
      'return readdirSync(parent).flatMap((name) => folderAt(join(parent, name)) ?? [])',
      ['return readdirSync(parent).flatMap((name) => folderAt(join(parent, name)) ?? ["Stryker was here"])'],
      'There is no package at this path.',
    ],
    [
      'for (const { pattern, target } of config === undefined ? [] : aliasesOf(config)) {',
      ['for (const { pattern, target } of false ? [] : aliasesOf(config)) {'],
      'Without a file, there are no aliases. TypeScript needs the check.',
    ],
    [
      'if (folderAt(parent) === undefined) return []',
      ['if (folderAt(parent) === undefined) return ["Stryker was here"]'],
      'This folder does not exist.',
    ],
  ],
  'cli/src/terraform/references.ts': [
    [
      'const [data, type, resource, resourceKey] = RESOURCE.exec(reference)?.slice(1) ?? []',
      ['const [data, type, resource, resourceKey] = RESOURCE.exec(reference)?.slice(1) ?? ["Stryker was here"]'],
      'Without the name of a resource, `data` is not used.',
    ],
    [
      "const place = { module, name: `output ${module.address} ${output}`, key: '', keys: [] }",
      [
        'const place = { module, name: `output ${module.address} ${output}`, key: "Stryker was here!", keys: [] }',
        'const place = { module, name: `output ${module.address} ${output}`, key: \'\', keys: ["Stryker was here"] }',
      ],
      'An output has no `each.key` and no `for_each`, so its key is not used.',
    ],
  ],
  'cli/src/terraform/plan.ts': [
    [
      'for (const { address, mode, type, name, index, values = {} } of shown?.resources ?? []) {',
      ['for (const { address, mode, type, name, index, values = {} } of shown?.resources ?? ["Stryker was here"]) {'],
      'It has no mode, so it is skipped.',
    ],
  ],
  'cli/src/deployed/read-function.ts': [
    [
      'mappings.push(...(page.EventSourceMappings ?? []).filter(isOfQueue))',
      ['mappings.push(...(page.EventSourceMappings ?? ["Stryker was here"]).filter(isOfQueue))'],
      'It is not a mapping of a queue, so it is ignored.',
    ],
  ],
  'cli/src/deployed/queues.ts': [
    [
      "return known({ ...returned(REDRIVE_SETTINGS, id, policy, 'SQS'), deadLetterQueue })",
      ['return known({ ...returned(REDRIVE_SETTINGS, id, policy, ""), deadLetterQueue })'],
      'The name is only used for settings with a default. A redrive policy has none.',
    ],
  ],
  'cli/src/local/simulator/event-source.ts': [
    [
      'const { reported = [], unfinished = {}, unlisted = {} } = outcome.recordErrors ?? {}',
      ['const { reported = ["Stryker was here"], unfinished = {}, unlisted = {} } = outcome.recordErrors ?? {}'],
      'No message has this id.',
    ],
  ],
}
