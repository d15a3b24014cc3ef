import { createInterface } from 'node:readline'

/** Whether the answer is yes. Ctrl-C, Ctrl-D and a signal mean no. */
export async function ask(
  question: string,
  { input, output }: { input: NodeJS.ReadableStream; output: NodeJS.WritableStream },
  signal?: AbortSignal,
): Promise<boolean> {
  const terminal = createInterface({ input, output, prompt: question, ...(signal ? { signal } : {}) })
  try {
    terminal.prompt()
    return await new Promise((resolve) => {
      terminal.once('line', (answer) => resolve(/^y(es)?$/i.test(answer.trim())))
      terminal.once('close', () => resolve(false)) // readline also closes at Ctrl-C, Ctrl-D and the signal
    })
  } finally {
    terminal.close()
  }
}
