import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { deadLinks } from './links.mjs'

describe('the links of the pages', () => {
  it('lead to a file and a heading of the repository', () => {
    expect(deadLinks(join(import.meta.dirname, '../..'))).toEqual([])
  })

  it('are reported if their file, their heading or their folder does not exist', () => {
    const folder = mkdtempSync(join(tmpdir(), 'understudy-links-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    writeFileSync(
      join(folder, 'there.md'),
      '# One `code`, two\n\n```\n# Not a heading\n[not a link](gone.md)\n```\n',
    )
    writeFileSync(
      join(folder, 'page.md'),
      [
        '[file](there.md) [heading](there.md#one-code-two) [own](#title) [site](https://example.com/gone)',
        '# Title',
        '[file](gone.md) [heading](there.md#not-a-heading) [own](#gone) [outside](../there.md)',
      ].join('\n'),
    )
    expect(deadLinks(folder)).toEqual([
      'page.md: gone.md',
      'page.md: there.md#not-a-heading',
      'page.md: #gone',
      'page.md: ../there.md',
    ])
  })
})
