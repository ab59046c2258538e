import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { runSteps } from '../../build-steps.mjs'

const PROGRAM = join(import.meta.dirname, '../../build-steps.mjs')

/** A project in a temporary folder with two steps: `upper` compiles `src` without `src/page`, `page` copies `src/page`. */
function project() {
  const root = mkdtempSync(join(tmpdir(), 'understudy-build-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  const out = join(root, 'dist')
  const runs: string[] = []
  const write = (path: string, text: string) => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  const copy = (folder: string, to: string, edit: (text: string) => string) => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (!entry.isFile()) continue
      mkdirSync(to, { recursive: true })
      writeFileSync(join(to, entry.name), edit(readFileSync(join(root, folder, entry.name), 'utf8')))
    }
  }
  const steps = [
    {
      name: 'upper',
      does: 'compile the sources',
      inputs: ['src', '!src/page'],
      run: async (staging: string) => {
        runs.push('upper')
        copy('src', staging, text => text.toUpperCase())
      },
    },
    {
      name: 'page',
      does: 'copy the page',
      inputs: ['src/page'],
      run: async (staging: string) => {
        runs.push('page')
        copy('src/page', join(staging, 'page'), text => text)
      },
    },
  ]
  write('src/a.txt', 'a')
  write('src/b.txt', 'b')
  write('src/page/index.txt', 'page')
  return {
    root,
    out,
    steps,
    write,
    remove: (path: string) => rmSync(join(root, path)),
    read: (path: string) => readFileSync(join(out, path), 'utf8'),
    files: () => readdirSync(out).filter(name => name !== '.build'),
    /** Builds. Returns the steps that ran, and the printed text without times. */
    async build() {
      runs.length = 0
      let printed = ''
      const print = (text: string) => {
        printed += text.replace(/\d+\.\d s/, 'TIME')
      }
      await runSteps(steps, { root, out, print })
      return { ran: [...runs], printed }
    },
  }
}

describe('a build', () => {
  it('runs every step the first time, and prints a line for each', async () => {
    const { build, read } = project()
    const { printed } = await build()
    expect(printed).toBe('build: compile the sources … TIME\nbuild: copy the page … TIME\n')
    expect([read('a.txt'), read('b.txt'), read('page/index.txt')]).toEqual(['A', 'B', 'page'])
  })

  it('runs no step again if nothing has changed', async () => {
    const { build } = project()
    await build()
    expect(await build()).toEqual({ ran: [], printed: 'build: unchanged\n' })
  })

  it.each([
    ['changed', 'src/a.txt', ['upper']],
    ['added', 'src/new.txt', ['upper']],
    ['changed in a folder that the other step leaves out', 'src/page/index.txt', ['page']],
  ])('runs only the step that has an input that was %s', async (_how, path, ran) => {
    const { build, write } = project()
    await build()
    write(path, 'changed')
    expect((await build()).ran).toEqual(ran)
  })

  it('runs a step again if one of its outputs is missing or has another size', async () => {
    const { build, remove, write, read } = project()
    await build()
    remove('dist/a.txt')
    expect((await build()).ran).toEqual(['upper'])
    write('dist/page/index.txt', '')
    expect((await build()).ran).toEqual(['page'])
    expect([read('a.txt'), read('page/index.txt')]).toEqual(['A', 'page'])
  })

  it('deletes the output of a deleted source, and files that no step makes', async () => {
    const { build, remove, write, files } = project()
    await build()
    remove('src/b.txt')
    write('dist/old/left-over.txt', '')
    await build()
    expect(files()).toEqual(['a.txt', 'page'])
  })

  it('keeps the outputs of the last run if a step fails, and runs that step again', async () => {
    const { build, steps, write, read } = project()
    await build()
    write('src/a.txt', 'new')
    const [step] = steps
    const run = step?.run
    Object.assign(step ?? {}, {
      run: async () => {
        throw new Error('src/a.txt: syntax error')
      },
    })
    await expect(build()).rejects.toThrow('cannot compile the sources: src/a.txt: syntax error')
    expect(read('a.txt')).toBe('A')
    Object.assign(step ?? {}, { run })
    expect((await build()).ran).toEqual(['upper'])
    expect(read('a.txt')).toBe('NEW')
  })

  it('does not count a step as built if only some of its outputs reached the output folder', async () => {
    const { build, write, read, remove } = project()
    await build()
    // The size stays the same.
    write('src/a.txt', 'x')
    write('src/c.txt', 'c')
    // A folder in the place of an output: the outputs before it are moved, that one cannot be.
    write('dist/c.txt/file', '')
    await expect(build()).rejects.toThrow()
    expect(read('a.txt')).toBe('X')
    write('src/a.txt', 'a')
    remove('src/c.txt')
    expect((await build()).ran).toEqual(['upper'])
    expect(read('a.txt')).toBe('A')
  })

  it('runs a step again after a build that was killed in it, and leaves none of its files', async () => {
    const { root, out, build, files, write } = project()
    await build()
    write('src/a.txt', 'new')
    const killed = spawnSync(
      process.execPath,
      [
        '--input-type=module',
        '--eval',
        `import { writeFileSync } from 'node:fs'
        import { pathToFileURL } from 'node:url'
        const [program, root, out] = process.argv.slice(1)
        const { runSteps } = await import(pathToFileURL(program).href)
        const run = async staging => {
          writeFileSync(staging + '/half.txt', '')
          process.kill(process.pid, 'SIGKILL')
        }
        await runSteps([{ name: 'upper', does: 'die', inputs: ['src', '!src/page'], run }], { root, out, print() {} })`,
        PROGRAM,
        root,
        out,
      ],
      { encoding: 'utf8' },
    )
    expect([killed.signal, killed.stderr]).toEqual(['SIGKILL', ''])
    expect(existsSync(join(out, '.build/lock'))).toBe(true)
    expect((await build()).ran).toEqual(['upper'])
    expect(files()).toEqual(['a.txt', 'b.txt', 'page'])
    expect(readdirSync(join(out, '.build'))).toEqual(['page.json', 'upper.json'])
  })

  it('waits for another build of the same folder, and then has nothing to do', async () => {
    const { root, out, steps } = project()
    const printed = ['', '']
    await Promise.all(
      printed.map((_text, index) =>
        runSteps(steps, {
          root,
          out,
          print: text => {
            printed[index] += text
          },
        }),
      ),
    )
    expect(printed[0]).toMatch(/compile the sources/)
    expect(printed[1]).toMatch(/^build: waiting for another build \(process \d+; .*\)\nbuild: unchanged\n$/)
  })
})
