// One camera sample a pixel, added to the pixel's sum.
@group(0) @binding(3) var<storage, read_write> sums: array<vec4<f32>>;

fn haze(light: Light, colour: vec3<f32>, direction: vec3<f32>, far: f32) -> vec3<f32> {
    let thick = 1.0 - exp(-far * 0.018);
    return mix(colour, sky(light, normalize(vec3(direction.x, 0.02, direction.z))), thick * thick);
}

// The light along a ray without further reflections; `skip` is an object that is looked through.
fn once(light: Light, origin: vec3<f32>, direction: vec3<f32>, skip: u32) -> vec3<f32> {
    let hit = meet(origin, direction, skip);
    if hit.kind == 0u {
        return sky(light, direction);
    }
    let point = origin + direction * hit.far;
    if hit.kind == 1u {
        let surface = ground(point, hit.far + 4.0);
        let colour = lit(light, point, surface.normal, surface.albedo, 0.0, direction);
        return haze(light, colour, direction, hit.far);
    }
    return shade_object(light, hit.which, point, normal_of(hit.which, point), direction);
}

// Bends a ray a little, as thin glass does; never a total reflection, since it only ever enters.
fn bend(direction: vec3<f32>, normal: vec3<f32>) -> vec3<f32> {
    let ratio = 1.0 / 1.25;
    let facing = clamp(dot(-direction, normal), 0.0, 1.0);
    let inside = sqrt(max(1.0 - ratio * ratio * (1.0 - facing * facing), 0.0));
    return normalize(direction * ratio + normal * (ratio * facing - inside));
}

fn ground_seen(light: Light, origin: vec3<f32>, direction: vec3<f32>, far: f32) -> vec3<f32> {
    let point = origin + direction * far;
    let surface = ground(point, far);
    var colour = lit(light, point, surface.normal, surface.albedo, 0.0, direction);
    if surface.mirror > 0.0 {
        let facing = clamp(dot(-direction, surface.normal), 0.0, 1.0);
        let share = surface.mirror * (0.04 + 0.96 * power5(1.0 - facing));
        let mirrored = direction - surface.normal * (2.0 * dot(direction, surface.normal));
        colour = mix(colour, once(light, point + surface.normal * 0.01, mirrored, NOTHING), share);
    }
    return haze(light, colour, direction, far);
}

fn object_seen(light: Light, origin: vec3<f32>, direction: vec3<f32>, far: f32, which: u32) -> vec3<f32> {
    let point = origin + direction * far;
    let normal = normal_of(which, point);
    let own = objects[which].look.xyz;
    let facing = clamp(dot(-direction, normal), 0.0, 1.0);
    let fresnel = power5(1.0 - facing);
    let mirrored = direction - normal * (2.0 * dot(direction, normal));
    let outside = point + normal * 0.01;
    let material = u32(objects[which].form.w);
    if material == 0u {
        return shade_object(light, which, point, normal, direction);
    }
    let seen = once(light, outside, mirrored, NOTHING);
    if material == 1u {
        return mix(shade_object(light, which, point, normal, direction), seen, 0.05 + 0.6 * fresnel);
    }
    let glint = light.colour * (sparkle(light, mirrored) * shadow(outside, light.direction));
    if material == 2u {
        return seen * mix(own, vec3(1.0), fresnel) * 0.95 + glint;
    }
    let behind = once(light, point - normal * 0.02, bend(direction, normal), which);
    return mix(behind * mix(own, vec3(1.0), 0.55), seen, 0.06 + 0.94 * fresnel) + glint;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    let item = span_item(id);
    if item >= span_end() {
        return;
    }
    let light = light_of(params.sky);
    // Points of the plastic number's sequence (Roberts, 2018): even for any number of samples.
    let jitter_x = fract(0.5 + f32(params.sample) * 0.7548777);
    let jitter_y = fract(0.5 + f32(params.sample) * 0.5698403);
    let size = vec2(f32(params.width), f32(params.height));
    let x = f32(item % params.width) + jitter_x;
    let y = f32(item / params.width) + jitter_y;
    let across = (2.0 * x - size.x) / size.y * params.eye.w;
    let above = (size.y - 2.0 * y) / size.y * params.eye.w;
    let origin = params.eye.xyz;
    let direction = normalize(params.forward.xyz + params.right.xyz * across + params.up.xyz * above);
    let hit = meet(origin, direction, NOTHING);
    var colour = vec3(0.0);
    if hit.kind == 0u {
        colour = sky(light, direction);
    } else if hit.kind == 1u {
        colour = ground_seen(light, origin, direction, hit.far);
    } else {
        colour = object_seen(light, origin, direction, hit.far, hit.which);
    }
    sums[item] += vec4(colour, 1.0);
}
