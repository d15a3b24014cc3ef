import { reactive } from 'vue'
import { INITIAL } from '../settings/workload.ts'

const workload = reactive({ ...INITIAL })

/** What the form shows. The table of typical cases can replace it. */
export const useWorkload = () => workload
