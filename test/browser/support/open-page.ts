import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'
import { afterAll, expect, onTestFinished } from 'vitest'

/** Debian's, unless another is named. */
const EXECUTABLE = process.env.UNDERSTUDY_TEST_CHROMIUM ?? '/usr/bin/chromium'

export interface OpenOptions {
  width?: number
  height?: number
  scheme?: 'light' | 'dark'
  /** The machine's time, as the browser is to have it; milliseconds since the epoch. */
  at?: number
}

afterAll(async () => (await launched)?.close())

let launched: Promise<Browser> | undefined

/** One for all tests of a file: it ends with the process of that file. */
function browser(): Promise<Browser> {
  // As root, in a container, it has no sandbox to be in; what it is shown is our own.
  launched ??= chromium.launch({ executablePath: EXECUTABLE, args: ['--no-sandbox'], timeout: 0 })
  return launched
}

/**
 * Opens the page of a control plane in a browser. When the test is over, the page must have sent requests to no other origin
 * and have logged no error.
 *
 * @param url of the control plane
 */
export async function openPage(
  url: string,
  { width = 1280, height = 900, scheme = 'light', at }: OpenOptions = {},
): Promise<Page> {
  const options: BrowserContextOptions = {
    viewport: { width, height },
    colorScheme: scheme,
    reducedMotion: 'reduce',
  }
  const context = await (await browser()).newContext(options)
  // The limit of the test ends what hangs.
  context.setDefaultTimeout(0)
  const page = await context.newPage()
  if (at !== undefined) await page.clock.setFixedTime(at)
  const complaints: string[] = []
  page.on('pageerror', error => complaints.push(String(error)))
  page.on('console', message => {
    const expected =
      /ERR_(CONNECTION_REFUSED|CONNECTION_RESET|SOCKET_NOT_CONNECTED|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/
    // That a process has gone is what a test may bring about.
    if (message.type() === 'error' && !expected.test(message.text())) complaints.push(message.text())
  })
  const elsewhere: string[] = []
  page.on('request', request => {
    if (new URL(request.url()).origin !== url) elsewhere.push(request.url())
  })
  onTestFinished(async () => {
    await context.close()
    expect({ complaints, elsewhere }).toEqual({ complaints: [], elsewhere: [] })
  })
  await page.goto(url)
  await page.getByText('live', { exact: true }).waitFor()
  return page
}
