import type { Reporter, TestCase, TestModule } from 'vitest/node'

/** Between two reports, in milliseconds: longer than any test takes, shorter than anybody waits for a run that hangs. */
const EVERY_MS = 120_000

/** Names every two minutes the files, and in them the tests, that have run for that long. A run that hangs says where. */
export class UnderWay implements Reporter {
  /** When each file, and each test, began. */
  readonly #files = new Map<TestModule, number>()
  readonly #tests = new Map<TestCase, number>()
  #timer: NodeJS.Timeout | undefined

  onTestRunStart(): void {
    this.#timer = setInterval(() => this.#report(), EVERY_MS)
    this.#timer.unref()
  }

  onTestModuleStart(file: TestModule): void {
    this.#files.set(file, performance.now())
  }

  onTestCaseReady(test: TestCase): void {
    this.#tests.set(test, performance.now())
  }

  onTestCaseResult(test: TestCase): void {
    this.#tests.delete(test)
  }

  onTestModuleEnd(file: TestModule): void {
    this.#files.delete(file)
  }

  onTestRunEnd(): void {
    clearInterval(this.#timer)
  }

  #report(): void {
    const now = performance.now()
    for (const [file, since] of this.#files) {
      if (now - since < EVERY_MS) continue
      const tests = [...this.#tests]
        .filter(([test, began]) => test.module === file && now - began >= EVERY_MS)
        .map(([test]) => test.fullName)
      const where = tests.length > 0 ? tests.join(', ') : 'between its tests'
      process.stderr.write(
        `still running after ${Math.round((now - since) / 1000)} s: ${file.relativeModuleId}: ${where}\n`,
      )
    }
  }
}
