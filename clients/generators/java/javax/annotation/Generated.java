package javax.annotation;

/** What JDK 8 brought, and the generated code names: the one thing that the generator's own jar has no class for. */
public @interface Generated {
    String[] value();

    String date() default "";

    String comments() default "";
}
