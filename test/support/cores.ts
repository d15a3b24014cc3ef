import middy7 from '@middy/core'
import middy6 from 'middy-core-6'

/** Every major version of @middy/core that the package supports. The types of version 6 differ, so they are cast. */
export const cores: [name: string, core: typeof middy7][] = [
  ['@middy/core 6', middy6 as unknown as typeof middy7],
  ['@middy/core 7', middy7],
]
