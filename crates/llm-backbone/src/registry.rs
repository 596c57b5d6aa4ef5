//! What follows from the list of families in `family.rs`.

/// Makes the two enums with a variant per family, their dispatch, and the search for the family of a file.
macro_rules! families {
    ($($(#[$doc:meta])* $family:ident($config:ty)),+ $(,)?) => {
        /// The shape of a model, a variant per family.
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) enum FamilyConfig {
            $($(#[$doc])* $family($config),)+
        }

        /// A model, a variant per family.
        #[derive(Module, Debug)]
        pub(crate) enum Architecture {
            $($(#[$doc])* $family(<$config as DecoderConfig>::Decoder),)+
        }

        impl FamilyConfig {
            pub(crate) fn config(&self) -> &dyn DecoderConfig {
                match self {
                    $(Self::$family(config) => config,)+
                }
            }

            pub(crate) fn config_mut(&mut self) -> &mut dyn DecoderConfig {
                match self {
                    $(Self::$family(config) => config,)+
                }
            }

            pub(crate) fn facts(&self) -> Facts {
                match self {
                    $(Self::$family(_) => <$config>::facts(),)+
                }
            }

            /// Reads the weights.
            pub(crate) fn load(&self, weights: &Loader<'_>) -> Result<Architecture, WeightError> {
                match self {
                    $(Self::$family(config) => config.load(weights).map(Architecture::$family),)+
                }
            }
        }

        impl Architecture {
            pub(crate) fn decoder(&self) -> &dyn Decoder {
                match self {
                    $(Self::$family(decoder) => decoder,)+
                }
            }

            pub(crate) fn decoder_mut(&mut self) -> &mut dyn Decoder {
                match self {
                    $(Self::$family(decoder) => decoder,)+
                }
            }
        }

        /// Reads a `config.json` of any family.
        pub(crate) fn from_hf(keys: &Keys<'_>) -> Result<FamilyConfig, ConfigError> {
            $(if <$config>::facts().names(keys) {
                refuse_other_class(keys, <$config>::facts().class)?;
                return <$config>::from_hf(keys).map(FamilyConfig::$family);
            })+
            let known = [$(<$config>::facts().model_type),+];
            Err(unknown(keys.file(), found_in(keys), &known))
        }

        /// Reads the shape in a GGUF file, and says which tensor is where under its Hugging Face name.
        pub(crate) fn from_gguf(file: &GgufFile) -> Result<(FamilyConfig, Places), WeightError> {
            let found = file.metadata().string("general.architecture").unwrap_or("nothing");
            let mut known = Vec::new();
            $(if let Some(names) = <$config>::gguf() {
                if names.names(file) {
                    let config = (names.read)(file)?;
                    let places = names.places(&config, file)?;
                    return Ok((FamilyConfig::$family(config), places));
                }
                known.extend(names.known_by.is_none().then_some(names.architecture));
            })+
            Err(unknown(file.path(), format!("`{found}`"), &known).into())
        }
    };
}

pub(crate) use families;
