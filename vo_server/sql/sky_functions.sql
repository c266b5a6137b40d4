-- Functions of the sky index: cells where Python has not computed them. Angles are degrees; cells are HEALPix NESTED.
-- Every function is pure, so that indexes and parallel workers may use it.

CREATE OR REPLACE FUNCTION vo.spread(bits bigint) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    bits := (bits | (bits << 16)) & 281470681808895;
    bits := (bits | (bits << 8)) & 71777214294589695;
    bits := (bits | (bits << 4)) & 1085102592571150095;
    bits := (bits | (bits << 2)) & 3689348814741910323;
    RETURN (bits | (bits << 1)) & 6148914691236517205;
END $$;
COMMENT ON FUNCTION vo.spread IS 'the 32 lowest bits, moved to the even places';

-- The projection of Górski et al. 2005 (ApJ 622, 759, §5.3). It is cdshealpix's cell, except for positions within rounding (10⁻¹⁵ radians) of a
-- cell's edge: every region and every match radius is padded by more than that.
CREATE OR REPLACE FUNCTION vo.healpix(ra float8, "dec" float8) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    side CONSTANT bigint := 536870912;
    z float8;
    turn float8;
    quarter bigint;
    rise bigint;
    fall bigint;
    base bigint;
    x bigint;
    y bigint;
BEGIN
    IF ra IN ('NaN', 'Infinity', '-Infinity') OR NOT "dec" BETWEEN -90 AND 90 THEN
        RETURN NULL;
    END IF;
    z := sin(radians("dec"));
    turn := ra / 90 - 4 * floor(ra / 360);
    IF turn >= 4 THEN
        turn := 0;
    END IF;
    IF abs(z) <= 2 / 3::float8 THEN
        rise := floor(side * (0.5 + turn + 0.75 * z));
        fall := floor(side * (0.5 + turn - 0.75 * z));
        x := rise & (side - 1);
        y := side - 1 - (fall & (side - 1));
        rise := rise >> 29;
        fall := fall >> 29;
        base := CASE WHEN rise = fall THEN 4 + (rise & 3) WHEN rise > fall THEN fall & 3 ELSE 8 + (rise & 3) END;
    ELSE
        quarter := least(3, floor(turn));
        turn := turn - quarter;
        -- sqrt(3 (1 - |z|)), without the cancellation near the pole
        z := side * sqrt(6::float8) * sin(radians((90 - abs("dec")) / 2));
        rise := least(side - 1, floor((1 - turn) * z));
        fall := least(side - 1, floor(turn * z));
        IF "dec" > 0 THEN
            base := quarter;
            x := side - 1 - rise;
            y := side - 1 - fall;
        ELSE
            base := 8 + quarter;
            x := fall;
            y := rise;
        END IF;
    END IF;
    RETURN (base << 58) | vo.spread(x) | (vo.spread(y) << 1);
END $$;
COMMENT ON FUNCTION vo.healpix IS 'HEALPix order-29 NESTED cell of a position; NULL where there is none';

CREATE OR REPLACE FUNCTION vo.neighbour(cell bigint, side int, cell_order int) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    bits bigint := (1::bigint << 2 * cell_order) - 1;
    mask bigint := bits & (CASE WHEN side < 2 THEN 384307168202282325 ELSE 768614336404564650 END);
    high boolean := side % 2 = 1;
    base int := cell >> 2 * cell_order;
    i int := base % 4;
    beyond int;
BEGIN
    IF (cell & mask) <> (CASE WHEN high THEN mask ELSE 0 END) THEN
        RETURN ((CASE WHEN high THEN (cell | ~mask) + 1 ELSE (cell & mask) - 1 END) & mask) | (cell & ~mask);
    END IF;
    -- the base cell across each of the sides x low, x high, y low, y high
    beyond := (CASE base / 4
        WHEN 0 THEN ARRAY[4 + i, (i + 1) % 4, 4 + (i + 1) % 4, (i + 3) % 4]
        WHEN 1 THEN ARRAY[8 + (i + 3) % 4, i, 8 + i, (i + 3) % 4]
        ELSE ARRAY[8 + (i + 3) % 4, 4 + (i + 1) % 4, 8 + (i + 1) % 4, 4 + i]
    END)[side + 1];
    IF beyond / 4 = base / 4 THEN
        -- at the polar caps x and y change places
        cell := ((cell & 384307168202282325) << 1) | ((cell >> 1) & 384307168202282325);
    ELSE
        cell := cell # mask;
    END IF;
    RETURN (beyond::bigint << 2 * cell_order) | (cell & bits);
END $$;
COMMENT ON FUNCTION vo.neighbour IS 'the cell of the same order across a side: 0 x low, 1 x high, 2 y low, 3 y high';

CREATE OR REPLACE FUNCTION vo.base_corner(cell bigint, x_high boolean, y_high boolean, cell_order int) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    bits bigint := (1::bigint << 2 * cell_order) - 1;
    base int := cell >> 2 * cell_order;
    i int := base % 4;
    beyond int := CASE base / 4
        WHEN 0 THEN CASE WHEN x_high AND y_high THEN (i + 2) % 4 WHEN NOT (x_high OR y_high) THEN 8 + i END
        WHEN 1 THEN CASE WHEN x_high AND NOT y_high THEN 4 + (i + 1) % 4 WHEN y_high AND NOT x_high THEN 4 + (i + 3) % 4 END
        ELSE CASE WHEN x_high AND y_high THEN i WHEN NOT (x_high OR y_high) THEN 8 + (i + 2) % 4 END
    END;
BEGIN
    -- four base cells meet at a pole, each with the same corner; elsewhere both coordinates wrap
    RETURN (beyond::bigint << 2 * cell_order) | ((CASE WHEN beyond / 4 = base / 4 AND base / 4 <> 1 THEN cell ELSE ~cell END) & bits);
END $$;
COMMENT ON FUNCTION vo.base_corner IS 'the cell across a corner of a base cell; NULL where only three base cells meet';

CREATE OR REPLACE FUNCTION vo.neighbours_near(hpx bigint, cell_order int, strip_order int) RETURNS bigint[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    own bigint := hpx >> 2 * (29 - cell_order);
    x_edge bigint := 384307168202282325 & ((1::bigint << 2 * (29 - cell_order)) - (1::bigint << 2 * (29 - strip_order)));
    x_key bigint := 384307168202282325 & ((1::bigint << 2 * cell_order) - 1);
    x_side int := CASE hpx & x_edge WHEN 0 THEN 0 WHEN x_edge THEN 1 END;
    y_side int := CASE hpx & (x_edge << 1) WHEN 0 THEN 2 WHEN x_edge << 1 THEN 3 END;
    x_rim boolean := (own & x_key) = (CASE x_side WHEN 0 THEN 0 ELSE x_key END);
    y_rim boolean := (own & (x_key << 1)) = (CASE y_side WHEN 2 THEN 0 ELSE x_key << 1 END);
BEGIN
    RETURN ARRAY[
        vo.neighbour(own, x_side, cell_order),
        vo.neighbour(own, y_side, cell_order),
        CASE WHEN x_rim AND y_rim THEN vo.base_corner(own, x_side = 1, y_side = 3, cell_order)
            -- first the step inside the base cell: beyond its rim the sides may have other names
            WHEN x_rim THEN vo.neighbour(vo.neighbour(own, y_side, cell_order), x_side, cell_order)
            ELSE vo.neighbour(vo.neighbour(own, x_side, cell_order), y_side, cell_order) END];
END $$;
COMMENT ON FUNCTION vo.neighbours_near IS 'cells, beside a position''s own, that can hold what is within a cell of strip_order; NULL where not needed';

CREATE OR REPLACE FUNCTION vo.cells_near(hpx bigint, cell int, strip int) RETURNS TABLE (lo bigint, hi bigint)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 2 AS $$
DECLARE
    shift int := 2 * (29 - cell);
BEGIN
    RETURN QUERY SELECT key << shift, (key << shift) | ((1::bigint << shift) - 1)
        FROM unnest((hpx >> shift) || vo.neighbours_near(hpx, cell, strip)) AS keys (key) WHERE key IS NOT NULL;
END $$;
COMMENT ON FUNCTION vo.cells_near IS 'one to four ranges, of cells of an order, that hold what is within a cell of strip_order of a position of this cell';

CREATE OR REPLACE FUNCTION vo.cone_ranges(hpx bigint, radius float8) RETURNS TABLE (lo bigint, hi bigint)
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE ROWS 2 AS $$
DECLARE
    -- cells of an order are nowhere narrower than 0.68 / 2^order radians
    strip int := CASE WHEN radius < 19 THEN least(29, floor(ln(0.68 / radians(greatest(radius, 1e-8))) / ln(2::float8))) ELSE 0 END;
BEGIN
    IF radius < 0 OR radius = 'NaN' THEN
        RETURN;
    ELSIF strip < 1 THEN
        RETURN QUERY SELECT 0::bigint, 3458764513820540927;
    ELSE
        RETURN QUERY SELECT * FROM vo.cells_near(hpx, greatest(0, strip - 3), strip);
    END IF;
END $$;
COMMENT ON FUNCTION vo.cone_ranges IS 'one to four ranges of cells that cover a cone around a position of this cell';
