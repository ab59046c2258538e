import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Understudy } from '../../../servers/understudy/index.js'
import { dataOf } from '../../../servers/understudy/state.js'

/** All there is, but for where this instance happens to listen. */
export async function dumpOf(understudy: Understudy): Promise<string> {
  const { instanode } = understudy
  return JSON.stringify(dataOf(await understudy.snapshot()))
    .replaceAll(instanode.apiUrl, 'http://instanode')
    .replaceAll(/127\.0\.0\.1:\d+/g, 'database')
}

/** The path of a file with that text, gone when the test is over. */
export function textFile(name: string, text: string): string {
  const directory = mkdtempSync(join(tmpdir(), 'understudy-world-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const path = join(directory, name)
  writeFileSync(path, text)
  return path
}
