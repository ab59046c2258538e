import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { VERSION } from '../../shared/util/version.js'

const root = join(import.meta.dirname, '../..')

function sources(folder: string): { path: string; text: string }[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter(name => /\.tsx?$/.test(name))
    .map(name => ({ path: join(folder, name), text: readFileSync(join(root, folder, name), 'utf8') }))
}

/** `path:line` of every match. */
function findings(pattern: RegExp, files: { path: string; text: string }[]): string[] {
  return files.flatMap(({ path, text }) =>
    text.split('\n').flatMap((line, index) => (pattern.test(line) ? [`${path}:${index + 1}`] : [])),
  )
}

const BYPASSES = /\bDate\.now\b|new Date\(\)|performance\.now|\bset(Timeout|Interval)\b|timers\/promises/
/** The page is a program of its own, in a browser: its time has one source, too. */
const PAGE_TIME = 'servers/page/browser-time.ts'
const code = [...sources('servers'), ...sources('shared')]

describe('the house', () => {
  it('reads time only from the clock', () => {
    expect(
      findings(
        BYPASSES,
        code.filter(({ path }) => !path.startsWith('shared/clock/') && path !== PAGE_TIME),
      ),
    ).toEqual([])
  })

  it('finds time that bypasses the clock', () => {
    for (const stray of [
      'Date.now()',
      'new Date()',
      'performance.now()',
      'setTimeout(f, 1)',
      'setInterval(f, 1)',
    ]) {
      expect(findings(BYPASSES, [{ path: 'x', text: stray }])).toEqual(['x:1'])
    }
    expect(findings(BYPASSES, [{ path: 'x', text: 'new Date(instant)' }])).toEqual([])
  })

  it('takes randomness only from the id source', () => {
    const random = /Math\.random|randomBytes|randomUUID|getRandomValues/
    expect(
      findings(
        random,
        code.filter(({ path }) => path !== 'shared/ids.ts'),
      ),
    ).toEqual([])
  })

  it('has no place where the page interprets text as markup', () => {
    expect(
      findings(/innerHTML|outerHTML|insertAdjacentHTML|document\.write/i, sources('servers/page')),
    ).toEqual([])
  })

  it('has the same version everywhere', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
    expect(VERSION).toBe(manifest.version)
  })
})
