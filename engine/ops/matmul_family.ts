import type {
  EpilogueConstants,
  Layout,
  PRODUCT_BUFFERS,
  PRODUCT_PARAMS,
  ProductStorage,
  Width,
} from "../../shaders/linear_product.wgsl.ts";
import type { Tape } from "../tape.ts";
import type { Tensor } from "../tensor.ts";
import type { Choice, TuningDevice } from "../tuning/tunable.ts";

/** Whatever the ways to compute a product, and their speed, depend on. */
export interface MatmulProblem {
  readonly layout: Layout;
  readonly numRows: number;
  readonly numColumns: number;
  readonly depth: number;
  /** Matrices of a batch; 1 without. */
  readonly numBatches: number;
  readonly storage: Pick<ProductStorage, "a" | "b" | "c">;
  /**
   * The largest of 1, 2, 4 and 8 that divides the stride, the beginning, the distance of matrices
   * and the extent along the rows of each operand; and that divides the depth.
   */
  readonly alignment: Readonly<Record<"a" | "b" | "c" | "depth", number>>;
}

/** A product as it is recorded, its operands checked. */
export interface Product {
  readonly problem: MatmulProblem;
  readonly epilogue: EpilogueConstants & { readonly storage: ProductStorage };
  readonly params: Readonly<Record<keyof typeof PRODUCT_PARAMS, number>>;
  readonly buffers: Readonly<Record<keyof typeof PRODUCT_BUFFERS, Tensor>>;
}

/** Ways to compute products that have a kernel in common. */
export interface MatmulFamily {
  /** The `kernel` of its choices. */
  readonly kernel: string;
  /** Its ways for a device and a problem, the best guess first; none where it cannot run. */
  readonly candidates: (device: TuningDevice, problem: MatmulProblem) => readonly Choice[];
  /** Appends the dispatches of one of its ways. */
  readonly record: (tape: Tape, product: Product, choice: Choice) => void;
}

/** Elements to read or write at a time where alignment allows. */
export function widthOf(alignment: number): Width {
  return alignment % 4 === 0 ? 4 : 1;
}

/** The least power of two that is not below `count`. */
export function powerOfTwo(count: number): number {
  return 2 ** Math.ceil(Math.log2(count));
}
