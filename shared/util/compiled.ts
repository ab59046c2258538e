import { fileURLToPath } from 'node:url'

/**
 * Returns the absolute path of a compiled file of this package that cannot be imported: a worker's entry, a
 * packed template, or the page.
 *
 * A compiled module finds the file relative to itself. A TypeScript module, which vitest runs from the
 * sources, finds the file at the same path under `dist/`, because a worker thread loads only JavaScript.
 * `npm test` builds `dist/` first.
 *
 * @param name path relative to the calling module
 * @param from `import.meta.url` of the calling module
 */
export function compiled(name: string, from: string): string {
  const url = new URL(name, from).href
  return fileURLToPath(
    from.endsWith('.ts') ? url.replace(/\/(servers|shared)\/(?!.*\/(servers|shared)\/)/, '/dist/$1/') : url,
  )
}

/** Returns the absolute path of a file or folder in `fixtures/`. Works in the sources and in `dist/`. */
export function fixture(name: string): string {
  const root = import.meta.url.endsWith('.ts') ? '../../fixtures/' : '../../../fixtures/'
  return fileURLToPath(new URL(`${root}${name}`, import.meta.url))
}
