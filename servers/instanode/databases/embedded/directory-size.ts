import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** Bytes of the files in a directory; one that vanishes meanwhile counts nothing. */
export async function directorySize(directory: string): Promise<number> {
  const sizes = await Promise.all(
    (await readdir(directory)).map(async file =>
      stat(join(directory, file)).then(
        found => found.size,
        () => 0,
      ),
    ),
  )
  return sizes.reduce((sum, size) => sum + size, 0)
}
