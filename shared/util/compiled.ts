import { fileURLToPath } from 'node:url'

/**
 * Returns the path of a compiled file of this package that cannot be imported: a worker's entry, a packed template,
 * the page.
 *
 * Compiled code finds the file beside itself. TypeScript sources (vitest) use the same place under `dist/`, because a
 * worker thread loads JavaScript only. `npm test` builds first.
 *
 * @param name path relative to the asking module
 * @param from the asking module's `import.meta.url`
 * @returns an absolute path
 */
export function compiled(name: string, from: string): string {
  const url = new URL(name, from).href
  return fileURLToPath(
    from.endsWith('.ts') ? url.replace(/\/(servers|shared)\/(?!.*\/(servers|shared)\/)/, '/dist/$1/') : url,
  )
}

/** Returns the absolute path of a file or folder in `fixtures/`, from the sources or from `dist/`. */
export function fixture(name: string): string {
  const root = import.meta.url.endsWith('.ts') ? '../../fixtures/' : '../../../fixtures/'
  return fileURLToPath(new URL(`${root}${name}`, import.meta.url))
}
