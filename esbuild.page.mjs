import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'

const SOURCE = 'shared/control/page'
const OUT = 'dist/shared/control/page'

/** Makes the page of the control plane: one script, one style sheet, and what stands as it is. */
await mkdir(OUT, { recursive: true })
await build({
  entryPoints: [
    { in: join(SOURCE, 'page.tsx'), out: 'page' },
    { in: join(SOURCE, 'styles/page.css'), out: 'page' },
  ],
  outdir: OUT,
  tsconfig: join(SOURCE, 'tsconfig.json'),
  bundle: true,
  minify: true,
  platform: 'browser',
  format: 'esm',
  // The style sheet's `light-dark()` is understood from these on.
  target: ['chrome123', 'firefox120', 'safari17.5'],
  legalComments: 'none',
})
for (const name of ['page.html', 'icon.svg']) await copyFile(join(SOURCE, name), join(OUT, name))
